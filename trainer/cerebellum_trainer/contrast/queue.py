"""A fixed number of the newest keys of one space: first in, first out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class KeyQueue(nn.Module):
    """`keys` (d, length), unit vectors; random ones until it was filled once. Checkpoints keep them."""

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        self.keys: torch.Tensor
        self.next: torch.Tensor
        self.register_buffer("keys", F.normalize(torch.randn(width, length), dim=0))
        self.register_buffer("next", torch.zeros((), dtype=torch.long))

    def newer(self) -> torch.Tensor:
        """(length,) bool: the half of the places that was written last."""
        length = self.keys.shape[1]
        age = (self.next - 1 - torch.arange(length, device=self.keys.device)) % length
        return age < length // 2

    @torch.no_grad()
    def push(self, keys: torch.Tensor) -> None:
        """(b, d) over the oldest b. Raises: ValueError if they are more than it holds."""
        length = self.keys.shape[1]
        if len(keys) > length:
            raise ValueError(f"{len(keys)} keys do not fit in a queue of {length}")
        places = (self.next + torch.arange(len(keys), device=keys.device)) % length
        self.keys[:, places] = keys.T.to(self.keys.dtype)
        self.next.copy_((self.next + len(keys)) % length)
