"""The heartbeat's network (Sohl-Dickstein et al. 2015, appendix D.1.2): layers of sigmoid units and a read-out for every t."""

import math

import torch
from torch import Tensor, nn

from rediffuse.networks.readout import readout_per_t

OWN = 3.0
"""Scale of the deviations beside a shared read-out. The read-out of one t is trained on one example in T, and the step of an optimiser such
as Adam is the same for all parameters: with steps three times as long the heartbeat's bound is reached in a third of the time."""


class MLP(nn.Module):
    """(x of shape (N, dims), t of shape (N,) in 0..T-1) -> (N, out_dims).

    `layers` hidden layers of `units` sigmoid units, shared by all t, which they do not see (the paper: 3 layers of 50); the linear
    read-out is separate for every t: weight (T, units, out_dims), bias (T, out_dims). With shared_readout each of these is one matrix
    for all t plus OWN times a deviation of its own: the same functions, and what all t have in common is learned from every example,
    not from one in T. Every read-out starts at 0, so that an untrained network read as a residual is the forward kernel.
    """

    def __init__(self, T: int, dims: int, out_dims: int, layers: int, units: int, shared_readout: bool):
        super().__init__()
        if layers < 1:
            raise ValueError(f"{layers} hidden layers: at least 1 expected")
        self.hidden = nn.ModuleList([nn.Linear(dims if k == 0 else units, units) for k in range(layers)])
        for k, layer in enumerate(self.hidden):
            assert isinstance(layer, nn.Linear)
            # A sigmoid's slope at 0 is 1/4: 4 / sqrt(inputs) keeps the deviation from layer to layer.
            nn.init.normal_(layer.weight, std=(1 if k == 0 else 4) / math.sqrt(layer.in_features))
            nn.init.zeros_(layer.bias)
        self.shared = nn.Linear(units, out_dims) if shared_readout else None
        if self.shared:
            nn.init.zeros_(self.shared.weight)
            nn.init.zeros_(self.shared.bias)
        self.weight = nn.Parameter(torch.zeros(T, units, out_dims))
        self.bias = nn.Parameter(torch.zeros(T, out_dims))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        for layer in self.hidden:
            x = torch.sigmoid(layer(x)) - 0.5  # the 1/2 is a matter of the next bias, and centred inputs are learned from faster
        own = readout_per_t(x, t, self.weight, self.bias)
        return self.shared(x) + OWN * own if self.shared else own
