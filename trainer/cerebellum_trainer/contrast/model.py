"""MoCo v2 with one space or several: a query network that learns, one that follows, a queue a space.

Sources: MoCo v2 (He et al. 2020; Chen et al. 2020), LooC and LooC++ (Xiao et al. 2021).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from cerebellum_trainer.contrast.backbone import Backbone
from cerebellum_trainer.contrast.loss import leave_one_out_loss
from cerebellum_trainer.contrast.queue import KeyQueue
from cerebellum_trainer.contrast.views import Atomic


@dataclass(frozen=True)
class LoocConfig:
    """What is contrasted with what. No `spaces` at all is MoCo v2."""

    augmentations: tuple[Atomic, ...] = ("colour", "rotation")
    """Besides crop, mirror and blur."""
    spaces: tuple[Atomic, ...] = ("colour", "rotation")
    """Augmentations that have a space which stays sensitive to them."""
    shared: tuple[Atomic, ...] = ()
    """Augmentations that all views of a picture share; a control."""
    concatenated: bool = False
    """LooC++: a last stage for each space, and all of them side by side as the representation."""
    temperature: float = 0.2
    """That cosines are divided by in the loss."""
    momentum: float = 0.99
    """Share of the key network that stays at a step; MoCo's 0.999 is for hundreds of epochs. Much
    less, and keys differ by their age more than by what they show."""
    queue: int = 2048
    """Keys of other pictures in each space; 16384 in the publication."""
    head_width: int = 64
    """Of the inner layer of each space's head."""
    embedding_width: int = 32
    """Numbers of an embedding."""

    def __post_init__(self) -> None:
        if not {*self.spaces, *self.shared} <= {*self.augmentations}:
            raise ValueError(f"{self}: spaces and shared must be among the augmentations")

    @property
    def space_names(self) -> tuple[str, ...]:
        return ("invariant", *self.spaces)


class Spaces(nn.Module):
    """One backbone and n + 1 heads: space 0 forgets every augmentation, space i all but the i-th."""

    def __init__(self, backbone: Backbone, config: LoocConfig) -> None:
        super().__init__()
        count = 1 + len(config.spaces)
        self.early = backbone.early
        self.late = nn.ModuleList(backbone.late() for _ in range(count if config.concatenated else 1))
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(backbone.width, config.head_width),
                nn.ReLU(),
                nn.Linear(config.head_width, config.embedding_width),
            )
            for _ in range(count)
        )

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        """The representation that is transferred: (b, width) of LooC, one of each space of LooC++."""
        early = self.early(images)
        return [late(early) for late in self.late]

    def embed(self, features: list[torch.Tensor], space: int) -> torch.Tensor:
        """Unit vectors (b, embedding_width) in a space, of `features`."""
        return F.normalize(self.heads[space](features[space if len(features) > 1 else 0]), dim=1)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """(b, 3, size, size) normalised -> the embedding in every space."""
        features = self.features(images)
        return [self.embed(features, space) for space in range(len(self.heads))]


class Contrast(nn.Module):
    """All that a checkpoint must hold: both networks and the queues."""

    def __init__(self, backbone: Backbone, config: LoocConfig) -> None:
        super().__init__()
        self.config = config
        self.query = Spaces(backbone, config)
        self.key = copy.deepcopy(self.query).requires_grad_(False)
        self.queues = nn.ModuleList(KeyQueue(config.embedding_width, config.queue) for _ in self.query.heads)

    @torch.no_grad()
    def follow(self) -> None:
        """The key network moves a little towards the query network: after every step of the optimiser."""
        for slow, fast in zip(self.key.parameters(), self.query.parameters(), strict=True):
            slow.lerp_(fast, 1 - self.config.momentum)

    @torch.no_grad()
    def keys(self, views: list[torch.Tensor]) -> list[torch.Tensor]:
        """Key 0 in space 0, (1, b, d); all keys in each other space, (n + 1, b, d)."""
        early = self.key.early(torch.cat(views))
        count, batch = len(views), len(views[0])
        if len(self.key.late) == 1:
            features = self.key.late[0](early)
            parts = [features[:batch], *[features] * (count - 1)]
        else:
            parts = [late(early[:batch] if space == 0 else early) for space, late in enumerate(self.key.late)]
        return [
            F.normalize(head(part), dim=1).view(len(part) // batch, batch, -1)
            for head, part in zip(self.key.heads, parts, strict=True)
        ]

    def forward(self, views: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        """Loss, and two shares of each space; then the keys join their queues.

        Args: views: the query, key 0, and a key for each space, (b, 3, size, size) normalised each.
        Returns: besides the loss, `right_<space>`, pictures whose positive is nearest, and `newer_<space>`,
            pictures whose nearest key in the queue is of its newer half. That is a half where keys look
            alike at any age. Near 1 the key network moves too fast: a positive is then known by being new,
            and `right` says nothing. (It is near 1 too until a queue was filled once.)
        """
        keys = self.keys(views[1:])
        queues = [queue for queue in self.queues if isinstance(queue, KeyQueue)]
        older = [queue.keys.clone() for queue in queues]
        seen = self.query(views[0])
        loss, right = leave_one_out_loss(seen, keys, older, self.config.temperature)
        names = self.config.space_names
        shares = {f"right_{name}": share for name, share in zip(names, right, strict=True)}
        for name, vectors, queue, others in zip(names, seen, queues, older, strict=True):
            nearest = (vectors.detach() @ others).argmax(dim=1)
            shares[f"newer_{name}"] = queue.newer()[nearest].float().mean().item()
        for space, (queue, found) in enumerate(zip(queues, keys, strict=True)):
            queue.push(of_all_processes(found[space]))
        return loss, shares


def of_all_processes(keys: torch.Tensor) -> torch.Tensor:
    """The keys of every process, by rank, so that their queues stay alike."""
    if not (dist.is_available() and dist.is_initialized()):
        return keys
    parts = [torch.empty_like(keys) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, keys.contiguous())
    return torch.cat(parts)
