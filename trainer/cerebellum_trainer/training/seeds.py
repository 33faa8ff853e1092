"""Chance without a past: every generator is made anew from the numbers that name its purpose."""

from __future__ import annotations

import numpy as np
import torch


def stream(*key: int) -> np.random.Generator:
    """The same numbers, none negative, give the same stream; any other ones an independent one."""
    return np.random.default_rng(sequence(key))


def sequence(key: tuple[int, ...]) -> np.random.SeedSequence:
    """With the key's length before it: numpy fills up with zeros, so (1, 2) would be (1, 2, 0)."""
    return np.random.SeedSequence((len(key), *key))


def reseed(*key: int) -> None:
    """Seeds what draws from PyTorch's own generators: initial weights, dropout."""
    torch.manual_seed(int(sequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1)))
