"""The MLP and the multi-scale network of the 2015 paper: each formula against a direct computation, and what each may not depend on."""

import math

import numpy as np
import pytest
import torch

from rediffuse.networks.mlp import MLP, OWN
from rediffuse.networks.multiscale import MultiScale, MultiScaleConv, TemporalReadout, bumps
from rediffuse.processes import schedules
from rediffuse.processes.denoiser import Denoiser
from rediffuse.processes.gaussian import GaussianProcess


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def times(T, N, seed=0):
    return torch.randint(0, T, (N,), generator=torch.Generator().manual_seed(seed))


def close(a, b, atol=1e-12):
    """float64 throughout: numbers of about 1, added up in another order."""
    torch.testing.assert_close(a, torch.as_tensor(b), rtol=1e-11, atol=atol)


def shake(network):
    """In float64, with weights of ordinary size in the read-outs too, which start at 0."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.double().parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return network


def mlp(shared=False, T=7, dims=4, out_dims=3, layers=3, units=5):
    torch.manual_seed(0)
    return MLP(T, dims, out_dims, layers, units, shared)


def multiscale(**changes):
    torch.manual_seed(0)
    options = {"T": 9, "resolution": 8, "in_channels": 1, "out_channels": 2, "scales": 2, "filters": 3, "conv_layers": 2}
    options |= {"dense_units": 0, "dense_layers": 0, "dense_outputs": 0, "upper_units": 4, "upper_layers": 2, "bumps": 5}
    return MultiScale(**(options | changes))


DENSE = {"dense_units": 6, "dense_layers": 2, "dense_outputs": 2}


# --- MLP ---


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    "t",
    [torch.arange(7), torch.full((7,), 3), torch.tensor([6, 0, 6, 6, 0, 2, 6]), torch.tensor([5])],
    ids=["all", "one", "some", "single"],
)
def test_the_mlp_is_sigmoid_layers_and_a_read_out_of_each_examples_own_t(shared, t):
    network, x = shake(mlp(shared)), normal(len(t), 4)
    got = network(x, t)
    for n in range(len(t)):
        hidden = x[n]
        for layer in network.hidden:
            hidden = 1 / (1 + torch.exp(-(layer.weight @ hidden + layer.bias))) - 0.5
        expected = hidden @ network.weight[t[n]] + network.bias[t[n]]
        if shared:
            expected = OWN * expected + network.shared.weight @ hidden + network.shared.bias
        close(got[n], expected)


def test_the_gradient_of_the_read_outs_is_that_of_indexing():
    """Examples of one t add up, a t that is absent gets 0."""
    network, x, t, g = shake(mlp()), normal(40, 4), times(6, 40), normal(40, 3, seed=1)
    (network(x, t) * g).sum().backward()
    got = network.weight.grad.clone(), network.bias.grad.clone(), network.hidden[0].weight.grad.clone()
    network.zero_grad()
    hidden = x
    for layer in network.hidden:
        hidden = torch.sigmoid(layer(hidden)) - 0.5
    ((torch.einsum("nk,nkd->nd", hidden, network.weight[t]) + network.bias[t]) * g).sum().backward()
    for a, b in zip(got, (network.weight.grad, network.bias.grad, network.hidden[0].weight.grad), strict=True):
        close(a, b)
    assert (network.weight.grad[6] == 0).all()


def test_a_shared_read_out_is_the_same_functions():
    """Its weights, added up, in the network without one; and the other way round, with deviations alone."""
    one, other = shake(mlp(shared=True)), mlp().double()
    x, t = normal(50, 4), times(7, 50)
    other.hidden.load_state_dict(one.hidden.state_dict())
    other.weight.data = one.shared.weight.data.T + OWN * one.weight.data
    other.bias.data = one.shared.bias.data + OWN * one.bias.data
    close(one(x, t), other(x, t))
    back = mlp(shared=True).double()
    back.hidden.load_state_dict(other.hidden.state_dict())
    back.weight.data, back.bias.data = other.weight.data / OWN, other.bias.data / OWN
    assert (back.shared.weight == 0).all() and (back.shared.bias == 0).all()
    close(back(x, t), other(x, t))


def test_hidden_layers_do_not_see_t():
    network, x = shake(mlp()), normal(1, 4).expand(7, 4)
    network.weight.data[:], network.bias.data[:] = network.weight.data[:1], network.bias.data[:1]
    out = network(x, torch.arange(7))
    close(out, out[:1].expand(7, 3))


def test_an_mlp_without_a_hidden_layer_is_refused():
    with pytest.raises(ValueError, match="0 hidden layers"):
        mlp(layers=0)


# --- temporal bumps ---


@pytest.mark.parametrize(("T", "J"), [(1000, 10), (40, 7), (3, 1), (5, 20)])
def test_bumps_are_the_normalised_gaussians_of_eq_63(T, J):
    g = bumps(T, J)
    assert g.shape == (T, J)
    centres = [(j + 0.5) * T / J for j in range(J)]
    for t in {1, 2, T // 2 + 1, T}:
        e = np.array([math.exp(-((t - tau) ** 2) / (2 * (T / J) ** 2)) for tau in centres])
        np.testing.assert_allclose(g[t - 1].numpy(), e / e.sum(), rtol=0, atol=1e-6)  # float32
    torch.testing.assert_close(g.sum(1), torch.ones(T))


def test_the_read_out_is_the_sum_over_bumps_of_a_linear_maps_coefficients():
    """Eq. 62, y_j first: the module takes the sum of the weights instead."""
    readout, features, t = shake(TemporalReadout(4, 2, 9, 5)), normal(6, 4, 3, 2), times(9, 6)
    y = torch.einsum("jkc,nchw->njkhw", readout.weight, features) + readout.bias[None, :, :, :, None]
    close(readout(features, t), torch.einsum("nj,njkhw->nkhw", bumps(9, 5).double()[t], y))


# --- multi-scale convolution ---


def test_the_multi_scale_layer_is_its_definition():
    """Loops over pixels: block means, a 3x3 window of zeros beyond the edge at each scale, nearest upsampling, a sum, softplus."""
    layer, x = shake(MultiScaleConv(2, 3, 3)), normal(1, 2, 8, 12)
    expected = torch.zeros(3, 8, 12, dtype=torch.float64) + layer.scales[0].bias[:, None, None]
    for s, conv in enumerate(layer.scales):
        b = 2**s
        for i in range(8):
            for j in range(12):
                for di in (-1, 0, 1):
                    for dj in (-1, 0, 1):
                        row, column = i // b + di, j // b + dj
                        if 0 <= row < 8 // b and 0 <= column < 12 // b:
                            mean = x[0, :, row * b : (row + 1) * b, column * b : (column + 1) * b].mean((1, 2))
                            expected[:, i, j] += conv.weight[:, :, di + 1, dj + 1] @ mean
    close(layer(x)[0], torch.log1p(expected.exp()) - math.log(2))


def test_the_signal_neither_dies_nor_explodes_through_the_untrained_layers():
    """The deviation between pixels and images, of white noise, layer by layer; the paper gives no initial weights."""
    torch.manual_seed(0)
    x = normal(16, 1, 16, 16).float()
    for k in range(5):
        x = MultiScaleConv(1 if k == 0 else 24, 24, 3)(x)
        assert 0.2 < x.std() < 3


# --- multi-scale network ---


@pytest.mark.parametrize("dense", [{}, DENSE], ids=["conv", "both"])
@pytest.mark.parametrize("conv", [0, 2])
@pytest.mark.parametrize("upper", [0, 2])
@pytest.mark.parametrize(("channels", "scales", "resolution"), [(1, 1, 3), (3, 2, 6), (1, 3, 8)])
def test_any_pathways_scales_and_channels_and_a_gradient_for_every_parameter(dense, conv, upper, channels, scales, resolution):
    network = multiscale(
        resolution=resolution, in_channels=channels, out_channels=2 * channels, scales=scales, conv_layers=conv, upper_layers=upper, **dense
    )
    x, t = normal(4, channels, resolution, resolution), torch.tensor([0, 3, 8, 8])
    assert (network(x.float(), t) == 0).all()
    out = shake(network)(x, t)
    assert out.shape == (4, 2 * channels, resolution, resolution)
    out.square().sum().backward()
    assert all(parameter.grad is not None and (parameter.grad != 0).any() for parameter in network.parameters())


def test_the_untrained_network_is_the_forward_kernel():
    """N(sqrt(1 - beta_t) x_t, beta_t) at every t, read as a residual with a learned variance."""
    process, x = GaussianProcess(schedules.log_spaced(9, 1e-3, 100.0)), normal(9, 1, 8, 8)
    t = torch.arange(1, 10)
    prediction = Denoiser(process, multiscale(**DENSE).double(), "residual", "learned")(x, t)
    beta = process.beta[1:].view(-1, 1, 1, 1)
    # At t = 1 the mean goes through x_0 hat, which is all of it there.
    close(prediction.mean, (1 - beta).sqrt() * x, atol=1e-9)
    close(prediction.variance, beta.expand_as(x), atol=1e-9)


def test_without_the_dense_pathway_any_multiple_of_the_coarsest_scale_goes_through():
    network = shake(multiscale(scales=3))
    assert network(normal(2, 1, 12, 20), torch.tensor([0, 1])).shape == (2, 2, 12, 20)


def test_the_conv_pathway_is_equivariant_to_shifts_by_the_coarsest_scale():
    """Inside what the zeros beyond the edges reach: 2 blocks of 4 pixels a layer; and not to a shift by 1, so the blocks matter."""
    network, x, t = shake(multiscale(scales=3)), normal(1, 1, 48, 48), torch.tensor([4])
    inside = slice(20, 28)
    out = network(x, t)[..., inside, inside]
    for by, same in ((4, True), (1, False)):
        moved = network(x.roll((by, by), (2, 3)), t).roll((-by, -by), (2, 3))[..., inside, inside]
        assert ((moved - out).abs().max() < 1e-10) == same


def test_the_dense_pathway_sees_the_whole_image_at_every_pixel_and_the_conv_pathway_its_surroundings():
    x, t = normal(1, 1, 32, 32), torch.tensor([4])
    other = x.clone()
    other[..., 0, 0] += 1
    for changes, reaches in (({"conv_layers": 0} | DENSE, True), ({"conv_layers": 1, "scales": 1}, False), ({"conv_layers": 0}, False)):
        network = shake(multiscale(resolution=32, **changes))
        difference = (network(x, t) - network(other, t)).abs()[0, 0]
        assert difference[0, 0] > 1e-6
        assert (difference[5, 5] > 1e-6) == (difference[31, 31] > 1e-6) == reaches


def test_t_enters_through_the_bumps_alone():
    """With one bump, which is 1 at every t, nothing depends on t; with five it does."""
    x, t = normal(1, 1, 8, 8).expand(9, 1, 8, 8), torch.arange(9)
    for J, same in ((1, True), (5, False)):
        out = shake(multiscale(bumps=J, **DENSE))(x, t)
        assert ((out - out[:1]).abs().max() < 1e-12) == same


@pytest.mark.parametrize(("resolution", "scales"), [(6, 3), (2, 3), (7, 2)])
def test_a_resolution_that_the_coarsest_scale_does_not_divide_is_refused(resolution, scales):
    with pytest.raises(
        ValueError, match=f"{resolution}x{resolution} pixels; expected multiples of {2 ** (scales - 1)}, the coarsest scale"
    ):
        multiscale(resolution=resolution, scales=scales)


@pytest.mark.parametrize(
    ("dense", "shape", "message"),
    [
        ({}, (8, 6), "8x6 pixels; expected multiples of 4"),
        ({}, (2, 8), "2x8 pixels; expected multiples of 4"),
        ({}, (0, 8), "0x8 pixels; expected multiples of 4"),
        (DENSE, (16, 16), "16x16 pixels; the dense pathway expects 8x8"),
    ],
)
def test_an_image_of_the_wrong_size_is_refused(dense, shape, message):
    with pytest.raises(ValueError, match=message):
        multiscale(scales=3, **dense)(torch.zeros(1, 1, *shape), torch.tensor([0]))


@pytest.mark.parametrize(("dense", "conv"), [({}, 2), (DENSE, 2), (DENSE, 0)])
def test_the_structure_is_that_of_the_modules(dense, conv):
    """Every stage's shape is what its module puts out, in the order in which they are called."""
    network = multiscale(scales=3, conv_layers=conv, **dense)
    stages = network.structure()
    shapes = []
    modules = [*network.conv, *network.dense, *network.upper, network.readout]
    hooks = [module.register_forward_hook(lambda module, x, out: shapes.append(tuple(out.shape[1:]))) for module in modules]
    network(normal(1, 1, 8, 8).float(), torch.tensor([0]))
    for hook in hooks:
        hook.remove()
    names = (
        [f"conv {k + 1}" for k in range(conv)] + [f"dense {k + 1}" for k in range(3 if dense else 0)] + ["upper 1", "upper 2", "read-out"]
    )
    shape = {stage.name: stage.shape for stage in stages}
    assert [stage.name for stage in stages] == ["image", *names[:-3], "joined", "upper 1", "upper 2", "coefficients", "read-out"]
    assert shape["joined"] == (network.upper[0].in_channels, 8, 8)
    assert shape["coefficients"] == (2 * 5, 8, 8)
    for name, seen in zip(names, shapes, strict=True):
        assert math.prod(shape[name]) == math.prod(seen)
        assert name == "dense 3" or shape[name] == seen
    assert ("8, 4, 2 pixels" in stages[1].description) == (conv > 0)
