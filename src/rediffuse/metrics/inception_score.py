"""The inception score (Salimans et al. 2016) of class probabilities."""

import numpy as np
from numpy.typing import NDArray


def inception_score(log_probabilities: NDArray[np.floating], splits: int = 10, seed: int = 2020) -> tuple[float, float]:
    """exp E KL(p(y|x) || p(y)) as mean and standard deviation over splits of the shuffled samples, as the field reports it.

    log_probabilities: (n, classes), normalised. It is at most the number of classes, and biased downwards when n / splits is small.
    """
    log_p = log_probabilities[np.random.RandomState(seed).permutation(len(log_probabilities))].astype(np.float64)
    scores = []
    for part in np.array_split(log_p, splits):
        p = np.exp(part)
        log_marginal = np.log(p.mean(0, keepdims=True).clip(1e-300))
        scores.append(np.exp((p * (part - log_marginal)).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))
