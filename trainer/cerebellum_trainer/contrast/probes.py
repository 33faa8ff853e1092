"""How much of a label a linear classifier finds in a frozen representation: from many pictures, or few."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

PENALTY = 1e-3
ITERATIONS = 40


def fit_linear(
    features: torch.Tensor, labels: torch.Tensor, classes: int, penalty: float = PENALTY
) -> nn.Linear:
    """Multinomial logistic regression, (n, d) standardised features; deterministic.

    Args: penalty: of the squared weights, beside the mean cross-entropy.
    """
    layer = nn.Linear(features.shape[1], classes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(layer(features), labels) + penalty * layer.weight.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return layer.requires_grad_(False)


class Probe:
    """A linear classifier on features that are brought to mean 0 and deviation 1 of its training set."""

    def __init__(self, features: np.ndarray, labels: np.ndarray, classes: int) -> None:
        known = torch.from_numpy(features)
        self._mean, self._deviation = known.mean(dim=0), known.std(dim=0) + 1e-6
        self._layer = fit_linear(self._scaled(known), torch.from_numpy(labels), classes)

    def _scaled(self, features: torch.Tensor) -> torch.Tensor:
        return (features - self._mean) / self._deviation

    def right(self, features: np.ndarray, labels: np.ndarray, best: int = 1) -> float:
        """Share of (n, d) features whose label is among the `best` likeliest."""
        scores = self._layer(self._scaled(torch.from_numpy(features)))
        found = scores.topk(min(best, scores.shape[1]), dim=1).indices
        return (found == torch.from_numpy(labels)[:, None]).any(dim=1).float().mean().item()


def few_shot(
    known: tuple[np.ndarray, np.ndarray],
    asked: tuple[np.ndarray, np.ndarray],
    shots: int,
    draws: int,
    seed: int,
) -> tuple[float, float]:
    """Mean and standard error, over `draws` draws, of the accuracy from `shots` pictures of each class.

    Args: known, asked: features (n, d) and labels (n,). Classes with fewer pictures than that are left out.
    Raises: ValueError if fewer than two classes are left.
    """
    features, labels = known
    values, counts = np.unique(labels, return_counts=True)
    classes = values[counts >= shots]
    if len(classes) < 2:
        raise ValueError(f"fewer than two classes have {shots} pictures")
    kept = np.isin(asked[1], classes)
    asked_labels = np.searchsorted(classes, asked[1][kept])
    scores = []
    for draw in range(draws):
        chance = np.random.default_rng([seed, draw])
        rows = np.concatenate([chance.choice(np.flatnonzero(labels == c), shots, False) for c in classes])
        probe = Probe(features[rows], np.repeat(np.arange(len(classes)), shots), len(classes))
        scores.append(probe.right(asked[0][kept], asked_labels))
    return float(np.mean(scores)), float(np.std(scores, ddof=1) / np.sqrt(draws)) if draws > 1 else 0.0
