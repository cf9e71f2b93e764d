"""Sub-sequences tau of 1..T on which an accelerated sampler runs (Song et al. 2020, section 4.2 and appendix D.2)."""

import math


def linear(T: int, S: int) -> list[int]:
    """tau_i = floor(T i / S), i = 1..S: strictly increasing, tau_S = T. Raises ValueError unless 1 <= S <= T."""
    _check(T, S)
    return [T * i // S for i in range(1, S + 1)]


def quadratic(T: int, S: int) -> list[int]:
    """tau_i = max(i, floor(T i^2 / S^2)), i = 1..S: strictly increasing, tau_S = T, the identity at S = T.

    The paper's floor(c i^2) repeats itself where i is small; the maximum with i is the least change that does not.
    """
    _check(T, S)
    return [max(i, T * i * i // (S * S)) for i in range(1, S + 1)]


def released_uniform(T: int, S: int) -> list[int]:
    """The published code's default list, plus 1 because its time starts at 0: every floor(T / S)-th step from 1.

    It ends short of T (at 901 for T = 1000, S = 10) and has more than S steps where S does not divide T.
    """
    _check(T, S)
    return list(range(1, T + 1, T // S))


def released_quadratic(T: int, S: int) -> list[int]:
    """The published code's quadratic list, plus 1: squares of S even steps from 0 to sqrt(0.8 T), cut to integers.

    It ends at 0.8 T + 1. Repeats are left out here, since a step from t to t changes nothing: S is the nominal number.
    """
    _check(T, S)
    top = math.sqrt(0.8 * T)
    # numpy.linspace, by which the published list is made, multiplies the step and sets the last point exactly.
    step = top / (S - 1) if S > 1 else 0.0
    points = [i * step for i in range(S - 1)] + [top if S > 1 else 0.0]
    return sorted({int(point**2) + 1 for point in points})


def _check(T: int, S: int) -> None:
    if not 1 <= S <= T:
        raise ValueError(f"S = {S} steps were asked of a chain of T = {T}: expected 1 <= S <= T")


SUBSEQUENCES = {
    "linear": linear,
    "quadratic": quadratic,
    "released-uniform": released_uniform,
    "released-quadratic": released_quadratic,
}
