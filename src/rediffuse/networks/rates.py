"""Rates of diffusion that are learned with the network (Sohl-Dickstein et al. 2015, section 2.4.1)."""

import torch
from torch import Tensor, nn

from rediffuse.processes.gaussian import GaussianProcess


class LearnedRates(nn.Module):
    """A network, and the process that it reverses: beta_2..T are parameters, beta_1 stays as given, against over-fitting.

    beta: where learning starts, shape (T + 1,) with beta[0] = 0.
    """

    def __init__(self, network: nn.Module, beta: Tensor):
        super().__init__()
        self.network = network
        self.beta_1 = float(beta[1])
        self.logit_beta = nn.Parameter(torch.logit(beta[2:]).float())

    def process(self) -> GaussianProcess:
        """The process at the present rates; gradients flow through it."""
        beta = torch.sigmoid(self.logit_beta.double())
        return GaussianProcess(torch.cat([beta.new_tensor([0.0, self.beta_1]), beta]))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        output: Tensor = self.network(x, t)
        return output
