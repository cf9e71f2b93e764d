"""DDPM's U-Net as the library diffusers has it, with weights of which none is near 0."""

from functools import partial

import torch
from diffusers import UNet2DModel
from torch import nn

WITNESS_UNET = partial(  # google/ddpm-cifar10-32
    UNet2DModel,
    act_fn="silu",
    attention_head_dim=None,
    center_input_sample=False,
    downsample_padding=0,
    flip_sin_to_cos=False,
    freq_shift=1,
    mid_block_scale_factor=1,
    norm_eps=1e-6,
    time_embedding_type="positional",
)


def cifar10() -> UNet2DModel:
    return WITNESS_UNET(
        sample_size=32,
        block_out_channels=(128, 256, 256, 256),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=32,
    )


def randomise(network: nn.Module, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.3
        parameter.data = scale * torch.randn(parameter.shape, generator=generator) + (parameter.ndim == 1)
