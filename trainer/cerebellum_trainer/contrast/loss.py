"""The loss over n + 1 spaces (Xiao et al. 2021, equation 3.2 of the thesis).

With E(i, j) = exp(q . k / temperature) of the unit vectors, in space i, of the query and of view j = 0..n of
the same picture, and Q(i) the sum of the same over all keys in the queue of space i:

    L = -1/(n+1) [ log E(0, 0) / (E(0, 0) + Q(0))
                   + sum over i = 1..n of log E(i, i) / (sum over j = 0..n of E(i, j) + Q(i)) ]

In space i only the view that shares augmentation i with the query is the same; the picture's other views are
as wrong as other pictures. In space 0 all augmentations are to be forgotten. n = 0 is MoCo's InfoNCE.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F


def leave_one_out_loss(
    query: list[torch.Tensor], keys: list[torch.Tensor], queues: list[torch.Tensor], temperature: float
) -> tuple[torch.Tensor, list[float]]:
    """Mean over the batch, and the share of pictures whose positive is nearest, a number for each space.

    Args:
        query: n + 1 of (b, d) unit vectors, the query in each space.
        keys: n + 1 of unit vectors: (1, b, d), key 0 in space 0; then (n + 1, b, d), all keys in space i.
        queues: n + 1 of (d, k) unit vectors of other pictures.
    """
    terms, right = [], []
    for space, (seen, views, others) in enumerate(zip(query, keys, queues, strict=True)):
        own = torch.einsum("bd,vbd->bv", seen, views)
        logits = torch.cat([own, seen @ others], dim=1) / temperature
        positive = torch.full((len(seen),), space if len(views) > 1 else 0, device=seen.device)
        terms.append(F.cross_entropy(logits, positive))
        right.append((logits.argmax(dim=1) == positive).float().mean().item())
    return torch.stack(terms).mean(), right


def chance_loss(spaces: int, queue: int) -> float:
    """The loss where all embeddings are alike; `spaces` besides the invariant one."""
    return (math.log(1 + queue) + spaces * math.log(1 + spaces + queue)) / (1 + spaces)
