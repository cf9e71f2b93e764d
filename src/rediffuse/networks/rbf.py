"""The swiss roll's network (Sohl-Dickstein et al. 2015, appendix D.1.1): one hidden layer of normalised radial basis functions."""

import torch
from torch import Tensor, nn

from rediffuse.networks.readout import readout_per_t


class NormalisedRBF(nn.Module):
    """(x of shape (N, dims), t of shape (N,) in 0..T-1) -> (N, out_dims).

    The hidden layer, shared by all t, is softmax_k(-|x - c_k|^2 / (2 w_k^2)); the linear read-out is separate for every t. It starts
    at 0, so that an untrained network read as a residual is the forward kernel.
    """

    def __init__(self, T: int, dims: int, out_dims: int, units: int):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(units, dims))
        self.log_widths = nn.Parameter(torch.full((units,), -0.7))  # about half of the data's deviation
        self.weight = nn.Parameter(torch.zeros(T, units, out_dims))
        self.bias = nn.Parameter(torch.zeros(T, out_dims))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        distance = (x[:, None] - self.centres).square().sum(2)
        hidden = torch.softmax(-0.5 * distance * torch.exp(-2 * self.log_widths), dim=1)
        return readout_per_t(hidden, t, self.weight, self.bias)
