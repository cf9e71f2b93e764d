"""The networks' published details: each was, in one public port or another, silently different."""

import math

import pytest
import torch
from torch import nn

from rediffuse.networks.classifier import Classifier
from rediffuse.networks.rbf import NormalisedRBF
from rediffuse.networks.unet import Attention, Downsample, UNet, Upsample, sinusoidal
from rediffuse.processes import losses, schedules
from rediffuse.processes.denoiser import Denoiser
from rediffuse.processes.gaussian import GaussianProcess


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def unet(resolution=8, channels=3, outputs=None, base=8, multipliers=(1, 2), res_blocks=1, attention=(4,), dropout=0.0, groups=4):
    torch.manual_seed(0)
    return UNet(resolution, channels, outputs or channels, base, multipliers, res_blocks, attention, dropout, groups)


def shake(network):
    """Weights of ordinary size everywhere, so that nothing is hidden behind those that start at about 0."""
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
    return network


# --- U-Net ---


@pytest.mark.parametrize(
    ("resolution", "channels", "outputs", "base", "multipliers", "res_blocks", "attention", "groups"),
    [
        (1, 1, 1, 4, [1], 1, [], 1),
        (6, 3, 3, 6, [1, 2], 1, [3], 3),
        (8, 5, 10, 8, [1, 2, 3], 2, [8, 4, 2], 8),
        (12, 1, 2, 10, [2, 1, 1], 3, [], 5),
        (32, 3, 7, 4, [1, 1, 2, 2], 1, [16], 2),
    ],
)
def test_any_resolution_width_and_number_of_channels(resolution, channels, outputs, base, multipliers, res_blocks, attention, groups):
    network = unet(resolution, channels, outputs, base, multipliers, res_blocks, attention, groups=groups)
    out = network(normal(2, channels, resolution, resolution), torch.tensor([0, 999]))
    assert out.shape == (2, outputs, resolution, resolution)
    out.sum().backward()
    assert all(parameter.grad is not None and torch.isfinite(parameter.grad).all() for parameter in network.parameters())


def test_the_untrained_unet_puts_out_about_0_and_L_simple_starts_at_1(ddpm):
    network, x0, eps = unet(16, base=16, attention=(16, 8)), normal(16, 3, 16, 16).tanh(), normal(16, 3, 16, 16, seed=1)
    t = torch.linspace(1, 1000, 16).long()
    with torch.no_grad():
        assert network(eps, t - 1).abs().max() < 1e-3
        loss = losses.simple(Denoiser(ddpm, network, "eps", "fixed-small"), x0, t, eps).item()
    assert loss == pytest.approx(eps.square().mean().item(), rel=0, abs=1e-5)
    assert loss == pytest.approx(1, rel=0, abs=4 * math.sqrt(2 / eps.numel()))  # 4 standard deviations of the draw of eps


def test_the_layers_that_start_at_about_0_are_the_published_ones():
    """conv2 of every block, every attention's projection, and the last convolution; all others are Xavier-uniform, biases 0."""
    for name, layer in unet(base=16).named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            weight, last = layer.weight, name.split(".")[-1]
            fan = (weight.shape[0] + weight.shape[1]) * weight[0, 0].numel()
            limit = math.sqrt(6 / fan) * (1e-5 if last in ("conv2", "project", "conv_out") else 1)
            assert 0.9 * limit < weight.abs().max() <= limit * (1 + 1e-6), name
            assert (layer.bias == 0).all(), name


def test_attention_stands_at_the_named_resolutions_and_in_the_middle():
    network = UNet(32, 3, 3, 8, [1, 2, 2, 2], 2, [16], 0.0, 4)
    where = lambda layers: [isinstance(getattr(layer, "attention", None), Attention) for layer in layers]  # noqa: E731
    a, n = True, False
    assert where(network.down) == [n, n, n, a, a, n, n, n, n, n, n]  # 32, down, 16, down, 8, down, 4
    assert where(network.middle) == [a, n]
    assert where(network.up) == [n, n, n, n, n, n, n, n, a, a, a, n, n, n, n]  # 4, up, 8, up, 16, up, 32


def test_dropout_acts_in_training_and_not_in_evaluation():
    network, x, t = shake(unet(dropout=0.5)), normal(2, 3, 8, 8), torch.tensor([3, 4])
    assert not torch.equal(network.train()(x, t), network(x, t))
    assert torch.equal(network.eval()(x, t), network(x, t))
    plain = shake(unet(dropout=0.0))
    plain.load_state_dict(network.state_dict())
    assert torch.equal(network(x, t), plain(x, t))


def test_the_network_sees_the_time_and_treats_examples_alone():
    network, x = shake(unet()).eval(), normal(1, 3, 8, 8).repeat(3, 1, 1, 1)
    out = network(x, torch.tensor([0, 999, 0]))
    assert (out[0] - out[1]).abs().max() > 1e-3
    torch.testing.assert_close(out[0], out[2], rtol=0, atol=1e-6)


def test_every_group_norm_has_tensorflows_epsilon():
    norms = [layer for layer in unet().modules() if isinstance(layer, nn.GroupNorm)]
    assert len(norms) > 10
    assert {(layer.eps, layer.num_groups) for layer in norms} == {(1e-6, 4)}


def test_downsampling_pads_to_the_right_and_below_only():
    x, layer = normal(1, 1, 6, 6), Downsample(1)
    for row in range(3):
        for column in range(3):
            layer.conv.weight.data.zero_()[0, 0, row, column] = 1
            padded = torch.zeros(1, 1, 8, 8)
            padded[..., :6, :6] = x
            assert torch.equal(layer(x), padded[..., row : row + 6 : 2, column : column + 6 : 2])


def test_upsampling_repeats_the_nearest_pixel_before_its_convolution():
    x, layer = normal(1, 1, 3, 3), Upsample(1)
    layer.conv.weight.data.zero_()[0, 0, 1, 1] = 1
    assert torch.equal(layer(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize("width", [4, 12])
def test_attention_is_one_head_over_all_positions_scaled_by_the_root_of_the_width(width):
    layer, x = shake(Attention(width, 2)), normal(2, width, 3, 5)
    h = layer.norm(x).flatten(2)  # (N, C, positions)
    q, k, v = (torch.einsum("dc,ncp->ndp", m.weight[:, :, 0, 0], h) + m.bias[:, None] for m in (layer.q, layer.k, layer.v))
    weight = torch.softmax(torch.einsum("ncp,ncr->npr", q, k) * width**-0.5, dim=2)
    mixed = torch.einsum("npr,ncr->ncp", weight, v)
    out = torch.einsum("dc,ncp->ndp", layer.project.weight[:, :, 0, 0], mixed) + layer.project.bias[:, None]
    torch.testing.assert_close(layer(x), x + out.view(x.shape), rtol=0, atol=1e-5)


def test_the_time_embedding_is_sines_then_cosines_from_frequency_1_to_1_over_10000():
    got = sinusoidal(torch.tensor([0, 3]), 6)
    angles = [3.0, 0.03, 0.0003]
    expected = [[0, 0, 0, 1, 1, 1], [*map(math.sin, angles), *map(math.cos, angles)]]
    torch.testing.assert_close(got, torch.tensor(expected), rtol=0, atol=1e-6)


# --- the swiss roll's network ---


def test_the_untrained_rbf_network_is_the_forward_kernel():
    process = GaussianProcess(schedules.harmonic(40, 1e-3, 0.9))
    x, t = normal(40, 2), torch.arange(1, 41)
    got = Denoiser(process, NormalisedRBF(40, 2, 4, 16), "residual", "learned")(x, t)
    beta = process.beta[t, None]
    # float32: the mean is found by way of x0-hat, whose coefficient is as small as 0.02 here.
    torch.testing.assert_close(got.mean, ((1 - beta).sqrt() * x).float(), rtol=0, atol=1e-5)
    torch.testing.assert_close(got.variance, beta.float().expand(40, 2), rtol=1e-5, atol=0)


def test_the_rbf_layer_is_normalised_and_each_t_has_its_own_read_out():
    network = NormalisedRBF(3, 2, 5, 16)
    network.weight.data[:] = torch.tensor([1.0, 10.0, 100.0]).view(3, 1, 1)
    network.bias.data[2] = 0.5
    out = network(normal(3, 2), torch.tensor([0, 1, 2]))
    expected = torch.tensor([1.0, 10.0, 100.5])[:, None].expand(3, 5)  # equal weights: the sum of the hidden layer, which is 1
    torch.testing.assert_close(out, expected, rtol=1e-6, atol=0)


def test_the_rbf_layer_is_a_softmax_of_gaussian_bumps():
    network, x = NormalisedRBF(1, 2, 4, 4), normal(5, 2)
    network.weight.data[0] = torch.eye(4)
    network.log_widths.data = torch.tensor([-0.5, 0.0, 0.3, 1.0])
    bumps = torch.exp(-(torch.cdist(x, network.centres) ** 2) / (2 * network.log_widths.exp() ** 2))
    torch.testing.assert_close(network(x, torch.zeros(5, dtype=torch.long)), bumps / bumps.sum(1, keepdim=True), rtol=0, atol=1e-6)


# --- the classifier ---


@pytest.mark.parametrize(("resolution", "channels", "classes"), [(8, 1, 10), (12, 3, 2)])
def test_the_classifiers_features_are_what_its_head_reads(resolution, channels, classes):
    network, x = Classifier(resolution, channels, classes, width=3), normal(4, channels, resolution, resolution)
    features = network.features(x)
    assert features.shape == (4, 2 * 3 * (resolution // 4) ** 2)
    assert network(x).shape == (4, classes)
    assert torch.equal(network.head(features), network(x))
