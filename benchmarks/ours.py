"""rediffuse."""

import math

import torch
from contenders import Contender, Precise, Setting, evaluating, timed

from rediffuse import device as devices
from rediffuse.build import About, build_network, build_process, diffusion_loss, gaussian_denoiser
from rediffuse.samplers import ancestral, ddim
from rediffuse.samplers.noise import SampleNoise
from rediffuse.samplers.steps import linear
from rediffuse.training import train


def compiled(setting: Setting, bfloat16: bool, device: torch.device) -> Contender:
    """As `make` does it, the network compiled: in training by the loop itself, as it does for many steps; elsewhere here."""
    return make(setting, bfloat16, device, compile_from=0)


def make(setting: Setting, bfloat16: bool, device: torch.device, compile_from: float = math.inf) -> Contender:
    """As a job of the pipeline does it: the loop that trains every network, its EMA and history with it, and the samplers.

    compile_from: steps of training from which on the network is compiled; 0 compiles evaluations, too.
    """
    run, shape = setting.run(), setting.shape
    about = About("noise", shape, 256, None, 0.0)
    torch.manual_seed(0)
    network = Precise(devices.place(build_network(run, shape), device), bfloat16)
    process, loss = build_process(run.process).to(device), diffusion_loss(run, about, device)
    fast = torch.compile(network, dynamic=False) if compile_from == 0 else network
    denoiser = gaussian_denoiser(run, process, fast)
    x = torch.randn(setting.batch, *shape).to(device)
    images = torch.randn(4 * setting.batch, *shape).to(device)

    def training(steps: int) -> float:
        devices.COMPILED_FROM = compile_from
        return train(network, loss, (images,), run.training.model_copy(update={"steps": steps})).seconds

    def noise() -> SampleNoise:
        return SampleNoise(0, range(setting.batch), shape, device)

    return Contender(
        sum(p.numel() for p in network.parameters()),
        training,
        evaluating(network, x, fast),
        lambda S: timed(lambda: ddim.sample(denoiser, x, linear(process.T, S), 0.0, noise()), device),
        lambda steps: timed(lambda: ancestral.sample(denoiser, x, noise(), start=steps), device),
    )
