"""rediffuse."""

import torch
from contenders import Contender, Precise, Setting, evaluating, timed

from rediffuse import device as devices
from rediffuse.build import About, build_network, build_process, diffusion_loss, gaussian_denoiser
from rediffuse.samplers import ancestral, ddim
from rediffuse.samplers.noise import SampleNoise
from rediffuse.samplers.steps import linear
from rediffuse.training import train


def make(setting: Setting, bfloat16: bool, device: torch.device) -> Contender:
    """As a job of the pipeline does it: the loop that trains every network, its EMA and history with it, and the samplers."""
    run, shape = setting.run(), setting.shape
    about = About("noise", shape, 256, None, 0.0)
    torch.manual_seed(0)
    network = Precise(devices.place(build_network(run, shape), device), bfloat16)
    process, loss = build_process(run.process).to(device), diffusion_loss(run, about, device)
    denoiser = gaussian_denoiser(run, process, network)
    x = torch.randn(setting.batch, *shape).to(device)
    images = torch.randn(4 * setting.batch, *shape).to(device)

    def training(steps: int) -> float:
        return train(network, loss, (images,), run.training.model_copy(update={"steps": steps})).seconds

    def noise() -> SampleNoise:
        return SampleNoise(0, range(setting.batch), shape, device)

    return Contender(
        sum(p.numel() for p in network.parameters()),
        training,
        evaluating(network, x),
        lambda S: timed(lambda: ddim.sample(denoiser, x, linear(process.T, S), 0.0, noise()), device),
        lambda steps: timed(lambda: ancestral.sample(denoiser, x, noise(), start=steps), device),
    )
