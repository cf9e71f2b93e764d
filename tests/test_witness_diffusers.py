"""The library diffusers as an independent witness: its schedule, its steps and its U-Net against ours.

It counts time from 0 (its t is our t - 1). It rounds its schedule to float32, where 1 - alpha_bar_1 is wrong by 2e-4 of it; for the
steps it is therefore given the same schedule in float64, so that they must agree to rounding.
"""

import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from diffusers.models.embeddings import get_timestep_embedding
from witness import WITNESS_UNET, cifar10, randomise

from rediffuse.networks.unet import Attention, Block, Downsample, UNet, Upsample, sinusoidal
from rediffuse.processes.denoiser import Denoiser
from rediffuse.processes.gaussian import GaussianProcess
from rediffuse.samplers import ancestral, ddim, solvers, steps

SHAPE = (3, 2, 4, 4)


def normal(seed):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def exact(scheduler):
    scheduler.alphas_cumprod = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    return scheduler


def assert_same(step, theirs):
    """x0-hat of an arbitrary eps is of size 1 / sqrt(abar_T) = 157; 1 - alpha_bar_1 keeps 12 digits."""
    torch.testing.assert_close(step.x0, theirs.pred_original_sample, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(step.x, theirs.prev_sample, rtol=1e-10, atol=1e-10)


def first_step(sample):
    """What a sampler's callback sees first."""
    seen = []
    sample(seen.append)
    return seen[0]


def test_alpha_bar(ddpm):
    theirs = DDPMScheduler(beta_schedule="linear").alphas_cumprod
    torch.testing.assert_close(theirs.double(), ddpm.alpha_bar[1:], rtol=1e-6, atol=0)  # a float32 product of 1000 factors


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("S", "t"), [(50, 980), (50, 400), (20, 950), (10, 100), (10, 0), (1000, 999), (1000, 1), (1000, 0)])
def test_a_ddim_step(ddpm, S, t, eta, clip):
    """From t to t - 1000 / S of its 0-based times; below 0 lies x_0."""
    scheduler = exact(DDIMScheduler(clip_sample=clip, set_alpha_to_one=True, timestep_spacing="leading"))
    scheduler.set_timesteps(S)
    x, eps, z = normal(0), normal(1), normal(2)
    theirs = scheduler.step(eps, t, x, eta=eta, use_clipped_model_output=clip, variance_noise=z)
    s = t - 1000 // S
    tau = [s + 1, t + 1] if s >= 0 else [t + 1]
    denoiser = Denoiser(ddpm, lambda x, t: eps, "eps", "fixed-small", clip)
    ours = first_step(lambda callback: ddim.sample(denoiser, x, tau, eta, lambda: z, callback))
    assert_same(ours, theirs)


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("variance", ["small", "large"])
@pytest.mark.parametrize("t", [999, 500, 30, 1])
def test_a_ddpm_step(ddpm, t, variance, clip):
    scheduler = exact(DDPMScheduler(variance_type=f"fixed_{variance}", clip_sample=clip))
    x, eps = normal(0), normal(1)
    theirs = scheduler.step(eps, t, x, generator=torch.Generator().manual_seed(2))
    chain = GaussianProcess(ddpm.beta[: t + 2])  # ancestral sampling starts at the end of its chain, which is cut at t
    denoiser = Denoiser(chain, lambda x, t: eps, "eps", f"fixed-{variance}", clip)
    ours = first_step(lambda callback: ancestral.sample(denoiser, x, lambda: normal(2), callback))
    assert_same(ours, theirs)


# --- whole chains of a network that is no model of anything ---


def curved(x, t):
    return torch.sin(2 * x) + 0.3 * torch.cos(t.double() / 300).view(-1, 1, 1, 1)


def at(t):
    return torch.full((SHAPE[0],), t)


@pytest.mark.parametrize("S", [10, 50])
def test_encoding_with_the_networks_times_ours(ddpm, S):
    """Its inverse scheduler takes eps at the time it goes to; given ours, at the time it comes from, every step is the same."""
    scheduler = exact(DDIMInverseScheduler(clip_sample=False, set_alpha_to_one=True, timestep_spacing="leading"))
    scheduler.initial_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    scheduler.set_timesteps(S)
    x = x0 = normal(0)
    for index in scheduler.timesteps.tolist():
        x = scheduler.step(curved(x, at(max(index - 1000 // S, 0))), index, x).prev_sample
    ours = ddim.encode(Denoiser(ddpm, curved, "eps", "fixed-small"), x0, steps.released_uniform(1000, S))
    torch.testing.assert_close(ours, x, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("S", [10, 50])
def test_a_whole_chain_down(ddpm, S, eta):
    scheduler = exact(DDIMScheduler(clip_sample=False, set_alpha_to_one=True, timestep_spacing="leading"))
    scheduler.set_timesteps(S)
    x = x_T = normal(0)
    tape = [normal(100 + k) for k in range(S)]
    for index, z in zip(scheduler.timesteps.tolist(), tape, strict=True):
        x = scheduler.step(curved(x, at(index)), index, x, eta=eta, variance_noise=z).prev_sample
    noise = iter(tape)
    denoiser = Denoiser(ddpm, curved, "eps", "fixed-small")
    ours = ddim.sample(denoiser, x_T, steps.released_uniform(1000, S), eta, lambda: next(noise))
    torch.testing.assert_close(ours, x, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("S", [5, 10, 20])
def test_the_second_order_solver(ddpm, S):
    scheduler = exact(
        DPMSolverMultistepScheduler(
            beta_start=1e-4,
            beta_end=0.02,
            solver_order=2,
            algorithm_type="dpmsolver++",
            final_sigmas_type="zero",
            timestep_spacing="linspace",
            prediction_type="epsilon",
        )
    )
    scheduler.set_timesteps(S)
    x = x_T = normal(0)
    for index in scheduler.timesteps:
        x = scheduler.step(curved(x, at(int(index))), index, x).prev_sample
    tau = sorted(int(index) + 1 for index in scheduler.timesteps)
    ours = solvers.dpm_solver_pp(Denoiser(ddpm, curved, "eps", "fixed-small"), x_T, tau)
    torch.testing.assert_close(ours, x, rtol=1e-4, atol=1e-5)  # its sigmas are float32


@pytest.mark.parametrize("dim", [4, 32, 128])
def test_the_time_embedding(dim):
    t = torch.tensor([0, 1, 17, 500, 999])
    theirs = get_timestep_embedding(t, dim, flip_sin_to_cos=False, downscale_freq_shift=1)
    torch.testing.assert_close(sinusoidal(t, dim), theirs, rtol=0, atol=1e-4)  # an angle of 999 is rounded to 6e-5 in float32


def test_the_number_of_parameters_at_the_cifar10_setting():
    with torch.device("meta"):
        ours = UNet(32, 3, 3, 128, [1, 2, 2, 2], 2, [16], dropout=0.1, groups=32)
        theirs = cifar10()
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in (ours, theirs)]
    assert counts == [35_746_307, 35_746_307]


def test_the_unet_with_the_same_weights_puts_out_the_same():
    """Padding, epsilons, the order of skips and of attention, and the embedding, all at once; weights are drawn anew, none is near 0."""
    ours = UNet(16, 3, 3, 16, [1, 2, 2], 2, [8], dropout=0.1, groups=4).eval()
    theirs = WITNESS_UNET(
        sample_size=16,
        block_out_channels=(16, 32, 32),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
    ).eval()
    randomise(ours)
    copy_weights(ours, theirs)
    generator = torch.Generator().manual_seed(1)
    x, t = torch.randn(3, 3, 16, 16, generator=generator), torch.tensor([0, 17, 999])
    with torch.no_grad():
        expected = theirs(x, t).sample
        assert expected.std() > 0.3
        torch.testing.assert_close(ours(x, t), expected, rtol=0, atol=1e-4)


def copy_weights(ours, theirs):
    """Ours into theirs, layer by layer in the order of the forward pass; every parameter of theirs must be met."""
    met = []

    def copy(layer, other):
        for name, parameter in layer.named_parameters():
            target = dict(other.named_parameters())[name]
            target.data.copy_(parameter.data.view(target.shape))
            met.append(target)

    def copy_block(block: Block, resnet, attention):
        others = {"time": "time_emb_proj", "shortcut": "conv_shortcut"}
        for name in ("norm1", "conv1", "time", "norm2", "conv2", "shortcut"):
            other = others.get(name, name)
            if list(getattr(block, name).parameters()):
                copy(getattr(block, name), getattr(resnet, other))
        if isinstance(block.attention, Attention):
            a = block.attention
            for layer, other in (
                (a.norm, attention.group_norm),
                (a.q, attention.to_q),
                (a.k, attention.to_k),
                (a.v, attention.to_v),
                (a.project, attention.to_out[0]),
            ):
                copy(layer, other)

    def parts(side, resampler):
        for block in side:
            attentions = getattr(block, "attentions", [None] * len(block.resnets))
            yield from zip(block.resnets, attentions, strict=True)
            yield from ((sampler.conv, None) for sampler in getattr(block, resampler) or [])

    copy(ours.embed[0], theirs.time_embedding.linear_1)
    copy(ours.embed[2], theirs.time_embedding.linear_2)
    copy(ours.conv_in, theirs.conv_in)
    middle = zip(theirs.mid_block.resnets, [theirs.mid_block.attentions[0], None], strict=True)
    for layers, witnesses in (
        (ours.down, parts(theirs.down_blocks, "downsamplers")),
        (ours.middle, middle),
        (ours.up, parts(theirs.up_blocks, "upsamplers")),
    ):
        for layer, (other, attention) in zip(layers, witnesses, strict=True):
            if isinstance(layer, Downsample | Upsample):
                copy(layer.conv, other)
            else:
                copy_block(layer, other, attention)
    copy(ours.norm_out, theirs.conv_norm_out)
    copy(ours.conv_out, theirs.conv_out)
    assert len(met) == len(list(theirs.parameters())) == len(list(ours.parameters()))
