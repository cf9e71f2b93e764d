"""diffusers."""

from collections.abc import Sequence

import torch
from contenders import BETA, CLIP, EMA, LR, Contender, Precise, Setting, T, evaluating, timed
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

CHAIN = {"num_train_timesteps": T, "beta_start": BETA[0], "beta_end": BETA[1], "beta_schedule": "linear"}


def make(setting: Setting, bfloat16: bool, device: torch.device) -> Contender:
    """As its own example of unconditional training does it (noise, a step of Adam, the gradient clipped, its EMA), and its schedulers."""
    unet, shape = setting.run().network, setting.shape
    sides = [shape[1] >> level for level in range(len(unet.multipliers))]
    attended = [side in unet.attention for side in sides]
    torch.manual_seed(0)
    bare = UNet2DModel(
        sample_size=shape[1],
        in_channels=shape[0],
        out_channels=shape[0],
        block_out_channels=tuple(unet.base_channels * m for m in unet.multipliers),
        layers_per_block=unet.res_blocks,
        down_block_types=tuple("AttnDownBlock2D" if has else "DownBlock2D" for has in attended),
        up_block_types=tuple("AttnUpBlock2D" if has else "UpBlock2D" for has in reversed(attended)),
        norm_num_groups=unet.groups,
        dropout=unet.dropout,
        attention_head_dim=None,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
        act_fn="silu",
    ).to(device)
    network = Precise(bare, bfloat16)
    images = torch.randn(4 * setting.batch, *shape).to(device)
    schedule, optimiser = DDPMScheduler(**CHAIN, variance_type="fixed_large"), torch.optim.Adam(bare.parameters(), LR)
    average, even = EMAModel(bare.parameters(), decay=EMA), DDIMScheduler(**CHAIN, clip_sample=False)
    x = torch.randn(setting.batch, *shape).to(device)

    def step() -> None:
        x0 = images[torch.randint(len(images), (setting.batch,), device=device)]
        eps = torch.randn(x0.shape, device=device)
        t = torch.randint(0, schedule.config.num_train_timesteps, (len(x0),), device=device)
        value = nn.functional.mse_loss(network(schedule.add_noise(x0, eps, t), t), eps)
        value.backward()
        nn.utils.clip_grad_norm_(bare.parameters(), CLIP)
        optimiser.step()
        optimiser.zero_grad()
        average.step(bare.parameters())

    def training(steps: int) -> float:
        network.train()
        return timed(lambda: [step() for _ in range(steps)], device)

    def sampled(scheduler: DDIMScheduler | DDPMScheduler, times: Sequence[Tensor]) -> None:
        network.eval()
        now = x
        with torch.inference_mode():
            for t in times:
                now = scheduler.step(network(now, t.expand(len(now)).to(device)), t, now).prev_sample

    def of_ddim(S: int) -> float:
        even.set_timesteps(S)
        return timed(lambda: sampled(even, even.timesteps), device)

    return Contender(
        sum(p.numel() for p in bare.parameters()),
        training,
        evaluating(network, x),
        of_ddim,
        lambda steps: timed(lambda: sampled(schedule, schedule.timesteps[-steps:]), device),
    )
