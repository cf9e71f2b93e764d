"""The binomial diffusion against brute force: every state of a few bits, every path of a short chain, rational arithmetic."""

import itertools
import math
from fractions import Fraction

import pytest
import torch
from torch.distributions import Bernoulli, kl_divergence

from rediffuse.processes import schedules
from rediffuse.processes.binomial import BinomialDenoiser, BinomialPrediction, BinomialProcess, kl_bernoulli, l_T, vlb_term
from rediffuse.samplers import binomial as sampler

RATE = 0.3
SHORT = BinomialProcess(torch.tensor([0, 0.1, 0.25, 0.3, 0.5, 0.8], dtype=torch.float64), RATE)
PUBLISHED = BinomialProcess(schedules.harmonic(2000, 1 / 2000, 1.0), 0.2)


def states(bits):
    """All 2^bits of them, shape (2^bits, bits)."""
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=bits)), dtype=torch.float64)


def kernel(bits, keep, rate=RATE):
    """q(column | row) over all states of independent bits that are each kept with probability `keep`, else drawn from B(rate)."""
    x = states(bits)
    on = keep * x + (1 - keep) * rate
    return torch.where(x[None] == 1, on[:, None], 1 - on[:, None]).prod(2)


def prior(bits):
    return kernel(bits, 0.0)[0]


def data(bits, seed=0):
    """An arbitrary distribution over the states of some correlated bits."""
    return torch.softmax(2 * torch.randn(2**bits, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), 0)


def to_reach(x_t):
    """A u of which q_sample makes x_t, whatever x_0: no probability of it is within 1e-9 of 1."""
    return (1 - x_t) * (1 - 1e-9)


def arbitrary(x, t):
    """Logits that depend on every bit and on t."""
    return torch.sin(3 * x + 2 * x.roll(1, 1) * x.roll(-1, 1) + t.view(-1, 1)) - 0.5 + 0.2 * x.sum(1, keepdim=True)


def close(a, b, rtol=1e-12, atol=0.0):
    torch.testing.assert_close(torch.as_tensor(a, dtype=torch.float64), torch.as_tensor(b, dtype=torch.float64), rtol=rtol, atol=atol)


# --- the forward chain ---


def test_the_forward_kernel_iterated_is_the_closed_form():
    chain = torch.eye(2, dtype=torch.float64)
    for t in range(1, SHORT.T + 1):
        chain = chain @ kernel(1, 1 - SHORT.beta[t])
        close(SHORT.q_prob(states(1)[:, 0], t), chain[:, 1])


def test_a_share_q_prob_of_all_u_makes_a_1():
    u = ((torch.arange(10_000) + 0.5) / 10_000).view(-1, 1)
    for t, x0 in itertools.product(range(1, SHORT.T + 1), (0.0, 1.0)):
        x_t = SHORT.q_sample(torch.full_like(u, x0), t, u)
        assert set(x_t.unique().tolist()) <= {0.0, 1.0}
        close(x_t.mean(), SHORT.q_prob(torch.tensor([x0]).double(), t)[0], rtol=0, atol=1e-4)


def test_where_the_last_rate_is_1_the_end_knows_nothing():
    """beta_t = 1/(T - t + 1): 1/T of the signal goes at each step, and all of it is gone at T."""
    T, x0 = PUBLISHED.T, torch.tensor([[0.0, 1.0]])
    close(PUBLISHED.alpha_bar, (T - torch.arange(T + 1, dtype=torch.float64)) / T, rtol=1e-10)  # a product of 2,000 factors
    assert PUBLISHED.alpha_bar[T] == 0
    assert (l_T(PUBLISHED, x0) == 0).all()
    assert torch.equal(PUBLISHED.posterior[T, 0], PUBLISHED.posterior[T, 1])
    close(PUBLISHED.posterior[T, 0], PUBLISHED.q_prob(x0[0].double(), T - 1), rtol=1e-12)


def test_time_is_one_for_all_or_one_per_sample_and_the_dtype_is_that_of_x():
    process, t = SHORT.to("cpu"), torch.tensor([1, 5, 3])
    x0, x_t = states(2)[:3].float(), states(2)[1:].float()
    for dtype in (torch.float32, torch.float64):
        a, b = x0.to(dtype), x_t.to(dtype)
        for got, each in (
            (process.q_prob(a, t), lambda k: process.q_prob(a[k : k + 1], int(t[k]))),  # noqa: B023
            (process.posterior_prob(a, b, t), lambda k: process.posterior_prob(a[k : k + 1], b[k : k + 1], int(t[k]))),  # noqa: B023
            (process.prob_from_p0(a / 3, b, t), lambda k: process.prob_from_p0(a[k : k + 1] / 3, b[k : k + 1], int(t[k]))),  # noqa: B023
        ):
            assert got.dtype == dtype
            assert torch.equal(got, torch.cat([each(k) for k in range(3)]))
        assert process.log_prior(a).dtype == process.log_edge(a, b).dtype == l_T(process, a).dtype == dtype


# --- the posterior ---


@pytest.mark.parametrize("t", [1, 2, 3])
def test_the_posterior_is_that_of_all_paths(t):
    """Three bits: the share of each bit of x_{t-1} among the 8^t paths x_1..x_t from each x_0 to each x_t."""
    x, steps = states(3), [kernel(3, 1 - SHORT.beta[s]) for s in range(1, t + 1)]
    on, total = torch.zeros(8, 8, 3, dtype=torch.float64), torch.zeros(8, 8, 1, dtype=torch.float64)  # [x_0, x_t, bit]
    for path in itertools.product(range(8), repeat=t + 1):
        weight = math.prod(step[a, b].item() for step, a, b in zip(steps, path[:-1], path[1:], strict=True))
        on[path[0], path[-1]] += weight * x[path[-2]]
        total[path[0], path[-1]] += weight
    x0, x_t = x.repeat_interleave(8, 0), x.repeat(8, 1)
    close(SHORT.posterior_prob(x0, x_t, t), (on / total).view(64, 3))


def test_the_posterior_averaged_over_x_t_is_the_step_before():
    for t, x0 in itertools.product(range(1, SHORT.T + 1), (0.0, 1.0)):
        x0, x_t = torch.full((2, 1), x0, dtype=torch.float64), states(1)
        q = SHORT.q_prob(x0, t)
        weight = torch.where(x_t == 1, q, 1 - q)
        close((weight * SHORT.posterior_prob(x0, x_t, t)).sum(), SHORT.q_prob(x0, t - 1)[0, 0])


@pytest.mark.parametrize("t", [2, 3, 1000, 1999, 2000])
def test_tiny_probabilities_keep_their_digits(t):
    """T = 2000 in rational arithmetic: q(x_1 = 1 | x_2 = 0, x_0 = 0) = 4e-8, and 1 - q is as small elsewhere."""
    T, r, beta = 2000, Fraction(1, 5), Fraction(1, 2001 - t)
    bar = Fraction(T - t + 1, T)
    for x_t, x0 in itertools.product((0, 1), repeat=2):
        joint = []
        for x in (0, 1):
            on, before = (1 - beta) * x + beta * r, bar * x0 + (1 - bar) * r
            joint.append((on if x_t else 1 - on) * (before if x else 1 - before))
        exact = joint[1] / sum(joint)
        got = PUBLISHED.posterior[t, x_t, x0]
        assert got.item() == pytest.approx(float(exact), rel=1e-9)  # 1 - alpha_bar is 5e-4 and known to 1e-16 a factor
        assert (1 - got).item() == pytest.approx(float(1 - exact), rel=1e-8)  # and 1e-16 of 4e-8 is lost here
    if t == 2:
        assert PUBLISHED.posterior[2, 0, 0] < 5e-8 and 1 - PUBLISHED.posterior[2, 1, 1] < 1e-7


@pytest.mark.parametrize("t", range(1, SHORT.T + 1))
def test_f_b_follows_exactly_from_the_chance_of_each_clean_bit(t):
    """Correlated bits, P(x_{t-1} | x_t) by enumeration: each bit's share needs P(x_0i = 1 | x_t) and nothing else."""
    x, q0 = states(3), data(3)
    given_x0 = q0[:, None] * kernel(3, SHORT.alpha_bar[t])  # [x_0, x_t]
    p0 = (given_x0 / given_x0.sum(0)).T @ x
    joint = (q0 @ kernel(3, SHORT.alpha_bar[t - 1]))[:, None] * kernel(3, 1 - SHORT.beta[t])  # [x_{t-1}, x_t]
    close(SHORT.prob_from_p0(p0, x, t), (joint / joint.sum(0)).T @ x)


# --- the ends ---


def test_log_prior_is_that_of_the_base_rate_summed_over_the_bits():
    close(SHORT.log_prior(states(3)), prior(3).log())


def test_the_published_null_of_the_heartbeat_is_20_bits_of_rate_a_fifth():
    """Table 1: K - (K - L_null) = -2.414 - 12.024."""
    heartbeat = (torch.arange(20) % 5 == 2).double()[None]
    assert PUBLISHED.log_prior(heartbeat).item() / math.log(2) == pytest.approx(-14.438, rel=0, abs=1e-3)


def test_the_edge_is_the_forward_kernel_turned_round():
    """Eq. 44: q(x_1 | x_0) pi(x_0) / pi(x_1)."""
    x, forward = states(3), kernel(3, 1 - SHORT.beta[1])
    expected = (forward * prior(3)[:, None] / prior(3)).log()  # [x_0, x_1]
    close(SHORT.log_edge(x.repeat_interleave(8, 0), x.repeat(8, 1)).view(8, 8), expected, rtol=1e-11)


def test_l_T_is_the_divergence_from_the_prior():
    x, q = states(3), kernel(3, SHORT.alpha_bar[-1])
    close(l_T(SHORT, x), (q * (q / prior(3)).log()).sum(1))


# --- Bernoulli divergences ---


def test_kl_bernoulli_is_torchs():
    q, p = torch.rand(2, 1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    close(kl_bernoulli(q, p), kl_divergence(Bernoulli(q), Bernoulli(p)), rtol=1e-9, atol=1e-15)
    assert (kl_bernoulli(q, q) == 0).all()


def test_a_state_that_q_does_not_take_costs_nothing():
    q = torch.tensor([0, 0, 1, 1, 0, 1, 0.5, 0.5], dtype=torch.float64)
    p = torch.tensor([0.25, 0, 0.25, 1, 1, 0, 0, 1], dtype=torch.float64, requires_grad=True)
    kl = kl_bernoulli(q, p)
    infinity = math.inf
    close(kl.detach(), [-math.log(0.75), 0, -math.log(0.25), 0, infinity, infinity, infinity, infinity])
    kl[:4].sum().backward()
    close(p.grad[:4], [1 / 0.75, 1, -4, -1])


# --- the bound ---


def exact_K(network, predicts, bits, process=SHORT):
    """K of each x_0 in nats, by enumeration and by definition: E_q[log p(x_{0..T}) - log q(x_{1..T} | x_0)], pair of neighbours by pair."""
    x = states(bits)
    K = kernel(bits, process.alpha_bar[-1]) @ prior(bits).log()
    before = torch.eye(len(x), dtype=torch.float64)  # q(x_{t-1} | x_0)
    for t in range(1, process.T + 1):
        step = kernel(bits, 1 - process.beta[t])
        pair = before[:, :, None] * step  # [x_0, x_{t-1}, x_t]
        log_p = reverse(network, predicts, bits, t, process).T.log()
        K = K + (pair * (log_p - step.log())).sum((1, 2))
        before = before @ step
    return K


def reverse(network, predicts, bits, t, process=SHORT):
    """p(x_{t-1} | x_t) as a matrix [x_t, x_{t-1}]; independent of the denoiser's code."""
    x = states(bits)
    if t == 1:
        return (kernel(bits, 1 - process.beta[1]) * prior(bits)[:, None] / prior(bits)).T
    on = torch.sigmoid(network(x, torch.full((len(x),), t - 1)))
    if predicts == "x0":
        bit = (kernel(1, process.alpha_bar[t - 1])[:, :, None] * kernel(1, 1 - process.beta[t])[None]).transpose(
            1, 2
        )  # [x_0, x_t, x_{t-1}]
        bit = (bit / bit.sum(2, keepdim=True))[:, :, 1]
        now = x.long()
        on = on * bit[1][now] + (1 - on) * bit[0][now]
    return torch.where(x[None] == 1, on[:, None], 1 - on[:, None]).prod(2)


def measured_K(denoiser, bits):
    """K of each x_0 as -(l_T + sum_t vlb_term), where the mean over x_t is taken by enumeration."""
    x = states(bits)
    n, process = len(x), denoiser.process
    x0, x_t = x.repeat_interleave(n, 0), x.repeat(n, 1)
    total = l_T(process, x)
    for t in range(1, process.T + 1):
        term = vlb_term(denoiser, x0, torch.full((n * n,), t), to_reach(x_t)).view(n, n)
        total = total + (kernel(bits, process.alpha_bar[t]) * term).sum(1)
    return -total


PREDICTS = pytest.mark.parametrize("predicts", ["x0", "mu"])


@PREDICTS
def test_K_is_its_definition(predicts):
    close(measured_K(BinomialDenoiser(SHORT, arbitrary, predicts), 4), exact_K(arbitrary, predicts, 4), rtol=1e-10)


@PREDICTS
@pytest.mark.parametrize("scale", [0.0, 0.3, 2.0])
def test_K_is_never_above_the_models_own_log_likelihood(predicts, scale):
    """L of every single state, from the reverse chain marginalised over all paths."""

    def network(x, t):
        return scale * arbitrary(x, t)

    K = measured_K(BinomialDenoiser(SHORT, network, predicts), 4)
    p = prior(4)
    for t in range(SHORT.T, 0, -1):
        p = p @ reverse(network, predicts, 4, t)
    close(p.sum(), 1)
    assert (p.log() + 1e-12 >= K).all()
    assert (p.log() - 1e-3 > K).any()


@PREDICTS
def test_the_mean_of_vlb_term_over_draws_is_the_enumerated_one(predicts):
    """20,000 draws of u for each t, within 4 standard errors."""
    denoiser, x0, n = BinomialDenoiser(SHORT, arbitrary, predicts), states(4)[6], 20_000
    for t in range(1, SHORT.T + 1):
        u = torch.rand(n, 4, generator=torch.Generator().manual_seed(t), dtype=torch.float64)
        draws = vlb_term(denoiser, x0.expand(n, 4), torch.full((n,), t), u)
        all_ = vlb_term(denoiser, x0.expand(16, 4), torch.full((16,), t), to_reach(states(4)))
        exact = (kernel(4, SHORT.alpha_bar[t])[6] * all_).sum()
        assert abs(draws.mean() - exact) < 4 * draws.std() / math.sqrt(n)
        assert draws.std() > 0


@PREDICTS
def test_each_example_of_a_batch_has_the_term_of_its_own_time(predicts):
    denoiser, t = BinomialDenoiser(SHORT, arbitrary, predicts), torch.tensor([1, 2, 5, 1])
    x0, u = states(4)[5:9], to_reach(states(4)[8:12])
    together = vlb_term(denoiser, x0, t, u)
    for k in range(4):
        close(together[k : k + 1], vlb_term(denoiser, x0[k : k + 1], t[k : k + 1], u[k : k + 1]))


@PREDICTS
def test_the_first_term_is_the_edge_whatever_the_network_says(predicts):
    x = states(3)
    x0, x_1 = x.repeat_interleave(8, 0), x.repeat(8, 1)
    got = vlb_term(BinomialDenoiser(SHORT, arbitrary, predicts), x0, torch.ones(64, dtype=torch.int64), to_reach(x_1))
    close(got, -SHORT.log_edge(x0, x_1), rtol=1e-11)


def posterior_logits(process, x0, q0):
    """A network that knows the data, x0 with probabilities q0: logits of P(x_0i = 1 | x_t) by Bayes over all of them."""

    def network(x, t_minus_1):
        bar = process.alpha_bar[t_minus_1 + 1][:, None, None]
        on = bar * x0.double() + (1 - bar) * process.rate
        log_joint = torch.where(x[:, None] == 1, on.log(), (1 - on).log()).sum(2) + q0.log()
        return torch.logit(torch.softmax(log_joint, 1) @ x0.double())

    return network


@pytest.mark.parametrize("mean", [RATE, 0.3001, 0.5, 0.9])
def test_with_the_true_reverse_process_K_loses_the_two_ends_alone(mean):
    """One bit, whose reverse process is exact in this family: -E[K] = H(x_0) + KL(q(x_T) || pi) + E KL(q(x_0 | x_1) || edge).

    Both divergences are 0 where the data's mean is the base rate, and K is then the data's own log-likelihood.
    """
    q0 = torch.tensor([1 - mean, mean], dtype=torch.float64)
    denoiser = BinomialDenoiser(SHORT, posterior_logits(SHORT, states(1), q0), "x0")
    K = (q0 * measured_K(denoiser, 1)).sum()
    end, joint = q0 @ kernel(1, SHORT.alpha_bar[-1]), q0[:, None] * kernel(1, 1 - SHORT.beta[1])  # [x_0, x_1]
    edge = reverse(None, "x0", 1, 1).T
    lost = (end * (end / prior(1)).log()).sum() + (joint * (joint / joint.sum(0) / edge).log()).sum()
    close(K, (q0 * q0.log()).sum() - lost, rtol=1e-11)
    assert (lost.abs() < 1e-15) == (mean == RATE)
    assert lost > -1e-15


def test_no_network_has_a_higher_K_than_the_true_chances_of_the_clean_bits():
    """Correlated bits. The true f_b is the best kernel of independent bits; K is under -H(x_0) by what the bits of a step share."""
    q0 = data(4)
    best = (q0 * measured_K(BinomialDenoiser(SHORT, posterior_logits(SHORT, states(4), q0), "x0"), 4)).sum()
    assert best < (q0 * q0.log()).sum()
    for predicts, wrong in itertools.product(("x0", "mu"), (0.01, 1.0)):
        true = posterior_logits(SHORT, states(4), q0)

        def network(x, t, true=true, predicts=predicts, wrong=wrong):
            logits = true(x, t)
            if predicts == "mu":
                logits = torch.logit(SHORT.prob_from_p0(torch.sigmoid(logits), x, t + 1).clamp(1e-12, 1 - 1e-12))
            return logits + wrong * arbitrary(x, t)

        assert (q0 * measured_K(BinomialDenoiser(SHORT, network, predicts), 4)).sum() < best


def test_the_bound_on_the_heartbeat_approaches_the_truth_from_below():
    """Five sequences of 20 bits, the true chances: K <= log2(1/5) at any T, within 4 standard errors, and nearer to it at a larger T."""
    beats = torch.stack([(torch.arange(20) % 5 == k).float() for k in range(5)])
    q0 = torch.full((5,), 0.2, dtype=torch.float64)
    means = []
    for T, n in ((5, 800), (50, 400)):
        process = BinomialProcess(schedules.harmonic(T, 1 / T, 1.0), 0.2)
        denoiser = BinomialDenoiser(process, posterior_logits(process, beats, q0), "x0")
        x0 = beats.repeat(n // 5, 1)
        generator = torch.Generator().manual_seed(T)
        K = -l_T(process, x0).double()
        for t in range(1, T + 1):
            K -= vlb_term(denoiser, x0, torch.full((n,), t), torch.rand(x0.shape, generator=generator)).double()
        K /= math.log(2)
        assert K.mean() < math.log2(1 / 5) + 4 * K.std() / math.sqrt(n)
        means.append(K.mean())
    assert -14.44 < means[0] < means[1] - 1


# --- precision, and what training meets ---


@PREDICTS
def test_float32_data_lose_nothing_of_the_bound_at_T_2000(predicts):
    """A network nearly right: a term is about 1e-3 bits, and the same arithmetic in float32 throughout would be wrong by much of it."""
    beats = torch.stack([(torch.arange(20) % 5 == k).float() for k in range(5)])
    q0 = torch.full((5,), 0.2, dtype=torch.float64)
    true = posterior_logits(PUBLISHED, beats, q0)

    def network(x, t):
        logits = true(x, t)
        if predicts == "mu":
            logits = torch.logit(PUBLISHED.prob_from_p0(torch.sigmoid(logits), x.double(), t + 1))
        return (logits.clamp(-30, 30) + 0.03 * arbitrary(x.double(), t)).float()

    x0, t = beats.repeat(400, 1), torch.arange(1, 2001)
    u = torch.rand(x0.shape, generator=torch.Generator().manual_seed(0))
    denoiser = BinomialDenoiser(PUBLISHED, network, predicts)
    exact = vlb_term(denoiser, x0.double(), t, u.double())[1:]
    assert exact.median() / math.log(2) < 2e-3
    close(vlb_term(denoiser, x0, t, u)[1:], exact, rtol=1e-6)

    x_t = PUBLISHED.q_sample(x0, t, u)
    output = torch.sigmoid(network(x_t, t - 1))
    prob = PUBLISHED.prob_from_p0(output, x_t, t) if predicts == "x0" else output
    naive = kl_bernoulli(PUBLISHED.posterior_prob(x0, x_t, t), prob).sum(1)[1:]
    assert ((naive / exact - 1).abs() > 1e-3).double().mean() > 0.2


@PREDICTS
@pytest.mark.parametrize("logit", [0.0, 30.0, -30.0, 1000.0, -1000.0])
@pytest.mark.parametrize("T", [2, 2000])
def test_the_bounds_gradient_is_finite_at_every_t(T, logit, predicts):
    """In float32, as in training, at outputs that are certain and wrong."""
    process = BinomialProcess(schedules.harmonic(T, 1 / T, 1.0), 0.2)
    parameter = torch.tensor(logit, requires_grad=True)
    denoiser = BinomialDenoiser(process, lambda x, t: x * 0 + parameter, predicts)
    x0 = torch.tensor([0.0, 1.0, 0.0, 1.0]).repeat(T, 1)
    terms = vlb_term(denoiser, x0, torch.arange(1, T + 1), torch.tensor([0.01, 0.01, 0.99, 0.99]).repeat(T, 1))
    assert terms.dtype == torch.float32
    terms.sum().backward()
    assert torch.isfinite(terms).all() and (terms >= 0).all()
    assert torch.isfinite(parameter.grad)


def test_the_gradient_is_that_of_the_logits():
    """dKL / dlogit = f_b - q for the paper's form."""
    x0, t, x_t = states(3)[5:6], torch.tensor([3]), states(3)[2:3]
    logits = torch.tensor([[0.3, -1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    vlb_term(BinomialDenoiser(SHORT, lambda x, t: logits, "mu"), x0, t, to_reach(x_t)).sum().backward()
    close(logits.grad, torch.sigmoid(logits.detach()) - SHORT.posterior_prob(x0, x_t, 3))


def test_the_network_is_told_t_minus_1_and_given_x_t_as_it_is():
    seen = []

    def network(x, t):
        seen.append((x, t))
        return torch.zeros_like(x)

    x_t, denoiser = states(3).float(), BinomialDenoiser(SHORT, network, "x0")
    one, each = denoiser(x_t, 4), denoiser(x_t, torch.full((8,), 4))
    assert all(x is x_t and torch.equal(t, torch.full((8,), 3)) for x, t in seen)
    assert torch.equal(one.prob, each.prob)
    assert (one.p0 == 0.5).all()
    assert BinomialDenoiser(SHORT, network, "mu")(x_t, 4).p0 is None


# --- wrong input ---


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([0.0, 1.0, 0.5, 0.25], "found 2 of 4 .* 0.5"),
        ([0.0, 255.0], "255"),
        ([-1.0, 1.0], "-1"),
        ([math.nan], "nan"),
    ],
)
def test_anything_but_0_and_1_is_refused_in_one_line(values, found):
    with pytest.raises(ValueError, match=found) as error:
        SHORT.check(torch.tensor(values))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.int64, torch.bool])
def test_bits_of_any_type_pass_the_check(dtype):
    SHORT.check(torch.tensor([[0, 1], [1, 1]], dtype=dtype))


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.2, math.nan])
def test_a_base_rate_is_a_probability_that_leaves_a_choice(rate):
    with pytest.raises(ValueError, match="base rate"):
        BinomialProcess(SHORT.beta, rate)


# --- sampling ---


@PREDICTS
def test_samples_are_those_of_the_model_marginalised_over_all_paths(predicts):
    """20,000 samples of 3 bits; the share of each of the 8 states within 4 standard errors. The step to x_0 is part of it."""
    n, generator = 20_000, torch.Generator().manual_seed(0)
    denoiser = BinomialDenoiser(SHORT, arbitrary, predicts)
    uniform = lambda: torch.rand(n, 3, generator=generator, dtype=torch.float64)  # noqa: E731
    x_T = (uniform() < RATE).double()
    seen = []
    x0 = sampler.sample(denoiser, x_T, uniform, lambda t, x: seen.append((t, x)))
    p = prior(3)
    for t in range(SHORT.T, 0, -1):
        p = p @ reverse(arbitrary, predicts, 3, t)
    share = torch.bincount((x0 @ torch.tensor([4.0, 2.0, 1.0], dtype=torch.float64)).long(), minlength=8) / n
    assert ((share - p).abs() < 4 * (p * (1 - p) / n).sqrt()).all()
    assert [t for t, _ in seen] == [4, 3, 2, 1, 0]
    assert seen[-1][1] is x0 and x0.dtype == x_T.dtype


def test_a_sampler_takes_any_reverse_process():
    class Always:
        process = SHORT

        def __call__(self, x_t, t):
            return BinomialPrediction(torch.full_like(x_t, 0.5) + 0.1 * t / SHORT.T, None)

    x0 = sampler.sample(Always(), torch.zeros(2, 2), lambda: torch.tensor([[0.519, 0.521], [0.0, 0.9]]))
    assert torch.equal(x0, torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
