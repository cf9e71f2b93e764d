"""The training loop: its rates, its average, and that a killed training ends in the same bits as one that was not."""

import csv
import io
import math
import os
import signal
from itertools import pairwise

import pytest
import torch
from tiny import PRESET, preset, rediffuse, write
from torch import nn

from rediffuse import runs, training
from rediffuse.build import About, diffusion_loss
from rediffuse.config import Gaussian, Linear, Run, Training
from rediffuse.errors import UserError
from rediffuse.files import read_arrays
from rediffuse.interrupts import Interrupted
from rediffuse.paths import Layout
from rediffuse.presets import load_preset
from rediffuse.training import rate, train


class KilledError(Exception):
    pass


def options(**changes):
    return Training(**{"steps": 20, "batch": 4, "lr": 0.01, "ema_decay": 0.7} | changes)


def build(dropout=0.0, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 3))


def loss(network, batch, generator, part):
    """Denoising, with noise from the loop's own generator."""
    (x,) = batch
    noisy = x + torch.randn(x.shape, generator=generator)
    return (network(noisy[part]) - x[part]).square().mean()


DATA = (torch.randn(64, 3, generator=torch.Generator().manual_seed(1)),)


def killed_at(call):
    """The loss above, which raises at its call-th call."""
    calls = iter(range(1, 10**6))

    def raising(network, batch, generator, part):
        if next(calls) == call:
            raise KilledError
        return loss(network, batch, generator, part)

    return raising


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.network.state_dict().values(), b.network.state_dict().values(), strict=True))


# --- rates ---


def test_the_warm_up_rises_linearly_to_the_full_rate_and_stays():
    rates = [rate(step, options(steps=100, warmup=4, ema_decay=0.9)) for step in range(100)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1]
    assert set(rates[4:]) == {1}


def test_without_warm_up_the_first_step_has_the_full_rate():
    assert rate(0, options(warmup=0)) == 1


def test_the_cosine_falls_from_the_full_rate_to_0_and_is_half_in_the_middle():
    fall = options(steps=1000, decay="cosine", ema_decay=0.9)
    rates = [rate(step, fall) for step in range(1001)]
    assert rates[0] == 1 and rates[500] == pytest.approx(0.5) and rates[1000] == pytest.approx(0, abs=1e-15)
    assert all(a > b for a, b in pairwise(rates))
    warm = options(steps=1000, decay="cosine", warmup=10, ema_decay=0.9)
    assert rate(4, warm) == pytest.approx(0.5 * rates[4])


class Scalar(nn.Module):
    """One float64 weight, so that what a step did can be read off."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))


@pytest.mark.parametrize("gradient", [0.5, 1e6])
def test_each_step_has_the_rate_of_its_own_number(gradient):
    """Adam moves a weight whose gradient never changes by exactly the rate; the clip makes every large gradient the same one."""
    asked = options(steps=12, warmup=5, decay="cosine", ema_decay=0.6)
    seen = []

    def constant(network, batch, generator, part):
        seen.append(network.weight.item())
        return gradient * network.weight.sum()

    network = Scalar()
    train(network, constant, DATA, asked)
    seen.append(network.weight.item())
    moved = [a - b for a, b in pairwise(seen)]
    # eps = 1e-8 of Adam stands beside a gradient of 0.5.
    assert moved == pytest.approx([asked.lr * rate(step, asked) for step in range(12)], rel=1e-7)


def test_the_gradient_is_clipped_to_its_largest_norm():
    network = build()
    train(network, lambda *args: 1e4 * loss(*args), DATA, options(clip=0.25))
    norm = math.sqrt(sum(parameter.grad.square().sum().item() for parameter in network.parameters()))
    assert norm == pytest.approx(0.25, rel=1e-5)  # torch adds 1e-6 to the norm that it divides by


# --- the average ---


def test_the_kept_weights_are_the_exponential_average_whose_first_update_copies():
    weights = []

    def recording(network, batch, generator, part):
        weights.append([parameter.detach().clone() for parameter in network.parameters()])
        return loss(network, batch, generator, part)

    network = build()
    trained = train(network, recording, DATA, options())
    after = [*weights[1:], [parameter.detach().clone() for parameter in network.parameters()]]
    average = after[0]
    for current in after[1:]:
        average = [0.7 * a + 0.3 * w for a, w in zip(average, current, strict=True)]
    for kept, expected, last in zip(trained.network.parameters(), average, after[-1], strict=True):
        torch.testing.assert_close(kept, expected, rtol=1e-6, atol=1e-7)  # float32, in another order
        assert (kept - last).abs().max() > 1e-4


def test_the_trained_network_is_in_evaluation_mode():
    assert not train(build(dropout=0.5), loss, DATA, options()).network.training


def test_training_lowers_the_loss():
    history = train(build(), loss, DATA, options(steps=300, ema_decay=0.9)).history
    assert sum(row["loss"] for row in history[-50:]) < 0.8 * sum(row["loss"] for row in history[:50])


# --- the same bits ---


def test_flips_mirror_each_image_with_a_probability_of_one_half_and_leave_labels():
    images = torch.arange(12.0).reshape(4, 1, 1, 3)
    data = (images.repeat(250, 1, 1, 1), torch.arange(4).repeat(250))
    rows, generator = torch.arange(1000), torch.Generator().manual_seed(0)
    x, y = training._batch(data, rows, True, generator)
    plain, mirrored = ((x == each).all((1, 2, 3)) for each in (data[0], data[0].flip(-1)))
    assert (plain | mirrored).all()
    assert abs(mirrored.sum() - 500) < 4 * math.sqrt(250)
    assert torch.equal(y, data[1])
    same, _ = training._batch(data, rows, False, generator)
    assert torch.equal(same, data[0])


def test_a_flipped_training_sees_mirrored_batches_and_the_others_are_as_before():
    data = (torch.randn(16, 1, 2, 4, generator=torch.Generator().manual_seed(2)),)
    seen = {}
    for flip in (False, True):

        def note(network, batch, generator, part, flip=flip):
            seen.setdefault(flip, []).append(batch[0])
            return network(batch[0].flatten(1)[:, :3]).square().mean()

        train(build(), note, data, options(flip=flip))
    known = [x for each in data[0] for x in (each, each.flip(-1))]
    assert all(any(torch.equal(x, each) for each in known) for batch in seen[True] for x in batch)
    assert all(any(torch.equal(x, each) for each in data[0]) for batch in seen[False] for x in batch)
    assert not all(any(torch.equal(x, each) for each in data[0]) for batch in seen[True] for x in batch)


def test_grey_levels_that_are_looked_up_train_as_what_they_stand_for():
    """To the bit, mirrored or not: what is stored a byte each need not be held as floats."""
    stored = torch.randint(0, 256, (40, 1, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    value = torch.linspace(-1, 1, 256)
    network = lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 1))  # noqa: E731
    for flip in (False, True):
        trained = []
        for data, seen in ((stored, lambda rows: value[rows.long()]), (value[stored.long()], lambda rows: rows)):
            torch.manual_seed(0)
            mean = lambda network, batch, generator, part: network(batch[0][part]).pow(2).mean()  # noqa: E731
            trained.append(train(network(), mean, (data,), options(flip=flip), seen=seen))
        assert same(*trained)


def test_training_holds_grey_levels_as_they_are_stored(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "tiny.yaml", preset())
    held = {}

    def train_of(network, loss, data, *arguments):
        held[arguments[1]] = [x.dtype for x in data]
        return train(network, loss, data, *arguments)

    monkeypatch.setattr(runs, "train", train_of)
    for name in ("digits", "roll"):
        assert rediffuse("prepare", name, "--preset", "tiny.yaml") == 0
    for name in ("digits", "roll", "classifier"):
        assert rediffuse("train", name, "--preset", "tiny.yaml") == 0
    assert held == {"train digits": [torch.uint8], "train roll": [torch.float32], "train classifier": [torch.uint8, torch.int64]}


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    first, again, other = (train(build(), loss, DATA, options(seed=seed)) for seed in (0, 0, 1))
    assert same(first, again) and first.history == again.history
    assert not same(first, other)


# HISTORY_ROWS = 6 makes it note and save at every third step only.
@pytest.mark.parametrize("rows", [400, 6])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("call", [2, 8, 20])
def test_a_killed_training_goes_on_and_ends_in_the_same_bits(monkeypatch, tmp_path, call, dropout, rows):
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(training, "HISTORY_ROWS", rows)
    state, asked = tmp_path / "state.pt", options(warmup=5, decay="cosine")
    undisturbed = train(build(dropout), loss, DATA, asked)

    with pytest.raises(KilledError):
        train(build(dropout), killed_at(call), DATA, asked, state=state, key="a")
    saved = state.exists()
    assert saved == (call > max(1, 20 // rows))
    # Unless nothing was saved, a fresh process has another network and another state of dropout: both must come from the file.
    trained = train(build(dropout, seed=5 if saved else 0), loss, DATA, asked, state=state, key="a")
    assert same(trained, undisturbed)
    assert trained.history == undisturbed.history


def test_a_training_may_be_killed_twice(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    state = tmp_path / "state.pt"
    for call in (5, 9):
        with pytest.raises(KilledError):
            train(build(0.5), killed_at(call), DATA, options(), state=state, key="a")
    assert same(train(build(0.5, seed=5), loss, DATA, options(), state=state, key="a"), train(build(0.5), loss, DATA, options()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("rows", [400, 6])
@pytest.mark.parametrize("call", [1, 8, 20])
def test_a_signal_saves_the_step_that_it_came_in(monkeypatch, tmp_path, call, rows, number):
    """rows = 6: step 8 of 20 lies between two rows of the history, and what the next row is the mean of is saved, too."""
    monkeypatch.setattr(training, "HISTORY_ROWS", rows)
    state, calls = tmp_path / "state.pt", iter(range(1, 100))

    def signalled(*arguments):
        if next(calls) == call:
            os.kill(os.getpid(), number)
        return loss(*arguments)

    with pytest.raises(Interrupted, match=f"swiss: saved at step {call} of 20, stopped by {number.name}; the same command") as end:
        train(build(0.5), signalled, DATA, options(), what="swiss", state=state, key="a")
    assert end.value.number == number
    undisturbed, trained = train(build(0.5), loss, DATA, options()), train(build(0.5, seed=5), loss, DATA, options(), state=state, key="a")
    assert same(trained, undisturbed)
    assert trained.history == undisturbed.history


def test_a_command_that_was_stopped_ends_with_the_signals_number_and_one_line_and_goes_on(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "tiny.yaml", preset())
    assert rediffuse("prepare", "roll", "--preset", "tiny.yaml") == 0
    capsys.readouterr()
    original = runs.diffusion_loss

    def loss_of(*arguments):
        inner = original(*arguments)

        def signalled(*arguments):
            signal.raise_signal(signal.SIGTERM)
            return inner(*arguments)

        return signalled

    monkeypatch.setattr(runs, "diffusion_loss", loss_of)
    assert rediffuse("train", "roll", "--preset", "tiny.yaml") == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "rediffuse: train roll: saved at step 1 of 20, stopped by SIGTERM; the same command again goes on\n"
    assert not (tmp_path / "results/tiny/runs").exists()
    monkeypatch.setattr(runs, "diffusion_loss", original)
    assert rediffuse("train", "roll", "--preset", "tiny.yaml") == 0
    went_on = (tmp_path / "results/tiny/runs/roll/weights.safetensors").read_bytes()
    assert rediffuse("train", "roll", "--preset", "tiny.yaml") == 0
    assert (tmp_path / "results/tiny/runs/roll/weights.safetensors").read_bytes() == went_on


def test_no_step_is_done_twice(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    state, calls = tmp_path / "state.pt", []
    with pytest.raises(KilledError):
        train(build(), killed_at(8), DATA, options(), state=state, key="a")
    train(build(), lambda *args: calls.append(1) or loss(*args), DATA, options(), state=state, key="a")
    assert len(calls) == 20 - 7


def test_another_key_begins_anew(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    state = tmp_path / "state.pt"
    with pytest.raises(KilledError):
        train(build(0.5), killed_at(8), DATA, options(), state=state, key="a")
    # From other first weights: a training that went on from the state would end where the first one was going.
    trained = train(build(0.5, seed=5), loss, DATA, options(), state=state, key="b")
    assert same(trained, train(build(0.5, seed=5), loss, DATA, options()))


def test_nothing_is_saved_before_its_time(tmp_path):
    state = tmp_path / "state.pt"
    with pytest.raises(KilledError):
        train(build(), killed_at(15), DATA, options(), state=state, key="a")
    assert not state.exists()


def flipped(content):
    return content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]


@pytest.mark.parametrize("damage", [lambda _: b"half a fi", lambda _: b"", lambda content: content[:-200], flipped])
def test_a_damaged_state_is_named_and_the_training_begins_anew(monkeypatch, tmp_path, capsys, damage):
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    state = tmp_path / "state.pt"
    with pytest.raises(KilledError):
        train(build(), killed_at(8), DATA, options(), state=state, key="a")
    state.write_bytes(damage(state.read_bytes()))
    capsys.readouterr()
    # From other first weights: one that took anything of the state would end elsewhere.
    trained = train(build(seed=5), loss, DATA, options(), state=state, key="a")
    line = f"{state}: damaged: its checksum is another than that of its content; the work begins anew"
    assert capsys.readouterr().err.splitlines()[0] == line
    assert same(trained, train(build(seed=5), loss, DATA, options()))


# --- what it says ---


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("at", [1, 13, 20])
@pytest.mark.parametrize("rows", [400, 3])
def test_a_loss_that_is_not_finite_is_an_error_at_whatever_step(monkeypatch, rows, at, value):
    """HISTORY_ROWS = 3 looks at every sixth of 20 steps: the last two stand in no row."""
    monkeypatch.setattr(training, "HISTORY_ROWS", rows)
    calls = iter(range(1, 100))
    with pytest.raises(UserError, match=r"swiss: .*(nan|inf) at step .*expected a finite one"):
        train(build(), lambda *args: loss(*args) * (value if next(calls) == at else 1), DATA, options(), what="swiss")


def test_a_row_of_the_history_holds_the_mean_loss_since_the_last_one(monkeypatch):
    monkeypatch.setattr(training, "HISTORY_ROWS", 4)
    values = []

    def recording(network, batch, generator, part):
        value = loss(network, batch, generator, part)
        values.append(value.item())
        return value

    trained = train(build(), recording, DATA, options())
    assert [(row["step"], row["images"]) for row in trained.history] == [(5, 20), (10, 40), (15, 60), (20, 80)]
    assert [row["loss"] for row in trained.history] == pytest.approx([sum(values[k : k + 5]) / 5 for k in (0, 5, 10, 15)], rel=1e-6)
    rows = list(csv.DictReader(io.StringIO(trained.history_csv())))
    assert [{key: float(value) for key, value in row.items()} for row in rows] == trained.history


# --- times ---


@pytest.mark.parametrize(("objective", "levels", "first"), [("simple", 256, 1), ("simple", None, 1), ("bound", 256, 1), ("bound", None, 2)])
def test_times_are_drawn_evenly_from_1_to_T_or_from_2_where_the_edge_learns_nothing(objective, levels, first):
    seen = []
    process = Gaussian(kind="gaussian", T=5, schedule=Linear(kind="linear"))
    run = Run.model_construct(process=process, objective=objective, predicts="eps", variance="fixed-large")

    def network(x, t):
        seen.append(t + 1)
        return x

    about = About("data", (2,), levels, None, 0.0)
    diffusion_loss(run, about, torch.device("cpu"))(network, (torch.zeros(6000, 2),), torch.Generator().manual_seed(0), slice(None))
    counts = torch.bincount(seen[0], minlength=6)
    expected = 6000 / (6 - first)
    assert counts[:first].sum() == 0 and counts.sum() == 6000
    assert (counts[first:] - expected).abs().max() < 4 * math.sqrt(expected)


# --- weights that are kept on the way ---


def test_weights_are_kept_as_a_training_of_so_many_steps_leaves_them(monkeypatch, tmp_path):
    """By a training that was killed in between, too."""
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    kept, asked, state = {}, options(keep=[14, 17]), tmp_path / "state.pt"

    def keep(step, network):
        kept[step] = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    with pytest.raises(KilledError):
        train(build(), killed_at(16), DATA, asked, state=state, key="a", keep=keep)
    assert list(kept) == [14]
    train(build(seed=5), loss, DATA, asked, state=state, key="a", keep=keep)
    assert list(kept) == [14, 17]
    for step, weights in kept.items():
        alone = train(build(), loss, DATA, options(steps=step)).network.state_dict()
        assert all(torch.equal(weights[name], tensor) for name, tensor in alone.items())


def test_samples_of_kept_weights_are_those_of_a_shorter_training(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    early = {"kind": "ancestral", "run": "digits", "n": 12, "chunk": 12}
    long, short = ({"runs.digits.training": PRESET["runs"]["digits"]["training"] | changed} for changed in ({"keep": [14]}, {"steps": 14}))
    write(tmp_path / "long.yaml", preset(long | {"samples.early": early | {"step": 14}}))
    write(tmp_path / "short.yaml", preset(short | {"samples.early": early}))
    assert rediffuse("prepare", "digits", "--preset", "long.yaml") == 0
    for name in ("long", "short"):
        assert rediffuse("train", "digits", "--preset", f"{name}.yaml") == 0
        assert rediffuse("sample", "early", "--preset", f"{name}.yaml") == 0
    assert rediffuse("sample", "plain", "--preset", "long.yaml") == 0
    of_14, same, of_20 = (
        read_arrays(Layout(name, load_preset(tmp_path / f"{name}.yaml")).shard(samples, 0), "")["S6-ancestral-0"]
        for name, samples in (("long", "early"), ("short", "early"), ("long", "plain"))
    )
    assert of_14.tobytes() == same.tobytes()
    assert not (of_14[:4] == of_20[:4]).all()
    assert not [*(tmp_path / "results/long/.state").glob("digits*")]
