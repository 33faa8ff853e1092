"""Empirical distribution of errors over random settings: the steeper, the less the settings matter.

F(e) is the share of runs whose error is below e (Radosavovic et al. 2019). Uncertainty comes from resampling
settings; the two stems of a setting stay together, since both were run with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 4000


@dataclass(frozen=True)
class Summary:
    best: float
    median: float
    worst_tenth: float
    """90th percentile of the errors."""
    spread: float
    """Median less best: what an average setting loses against the best one. The steepness of the EDF."""
    near: float
    """Share of the settings within NEAR of the best."""


NEAR = 0.05


def edf(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted errors, and the share of runs up to each."""
    ordered = np.sort(errors)
    return ordered, np.arange(1, len(ordered) + 1) / len(ordered)


def summary(errors: np.ndarray) -> Summary:
    best, median = float(errors.min()), float(np.median(errors))
    return Summary(
        best,
        median,
        float(np.quantile(errors, 0.9)),
        median - best,
        float((errors <= best + NEAR).mean()),
    )


def paired_difference(
    first: np.ndarray, second: np.ndarray, seed: int
) -> dict[str, tuple[float, float, float]]:
    """`second` less `first` of median and spread, each with a 95 % interval over resampled settings.

    Args: errors (n,) of the same n settings. Raises: ValueError if their numbers differ.
    """
    if first.shape != second.shape:
        raise ValueError(f"{first.shape} and {second.shape} errors are not of the same settings")
    rows = np.random.default_rng(seed).integers(len(first), size=(RESAMPLES, len(first)))

    def median(errors: np.ndarray) -> np.ndarray:
        return np.median(errors, axis=-1)

    def spread(errors: np.ndarray) -> np.ndarray:
        return np.median(errors, axis=-1) - errors.min(axis=-1)

    found = {}
    for name, measure in (("median", median), ("spread", spread)):
        differences = measure(second[rows]) - measure(first[rows])
        low, high = np.quantile(differences, [0.025, 0.975])
        found[name] = (float(measure(second) - measure(first)), float(low), float(high))
    return found
