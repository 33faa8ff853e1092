"""Backbones in two parts: an early one that all spaces share, and a late one that LooC++ gives to each space.

Normalisation is by groups or layers, never by batch: statistics of a batch tell a query which key is its own,
and MoCo's remedy (shuffling keys between GPUs) needs several of them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import nn

from cerebellum_trainer.vit import Block, VisionTransformer, VitConfig

NORM_GROUPS = 8


class Backbone(Protocol):
    """`early` maps normalised pictures to something that a late part turns into (b, width) features."""

    width: int

    @property
    def early(self) -> nn.Module: ...

    def late(self) -> nn.Module:
        """A late part of its own, with fresh weights."""
        ...


@dataclass(frozen=True)
class ConvConfig:
    """A residual network for small pictures; a stage a width, the first at half the picture's size."""

    widths: tuple[int, ...] = (16, 32, 64)
    """Channels of each stage."""

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or any(width % NORM_GROUPS for width in self.widths):
            raise ValueError(f"widths {self.widths} must be two or more multiples of {NORM_GROUPS}")


class Residual(nn.Module):
    """Two 3x3 convolutions and a way around them; `stride` halves the size."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.norm1 = nn.GroupNorm(NORM_GROUPS, width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.GroupNorm(NORM_GROUPS, width)
        same = stride == 1 and width_in == width
        self.around = nn.Identity() if same else nn.Conv2d(width_in, width, 1, stride, bias=False)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        inner = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(planes)))))
        return F.relu(inner + self.around(planes))


class Pooled(nn.Module):
    """The last stage and the mean over all places: (b, c, h, w) -> (b, width)."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.stage = Residual(width_in, width, 2)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        return self.stage(planes).mean(dim=(2, 3))


class ConvBackbone:
    def __init__(self, config: ConvConfig) -> None:
        self.width = config.widths[-1]
        self._before = config.widths[-2]
        first = config.widths[0]
        stem = [nn.Conv2d(3, first, 3, 2, 1, bias=False), nn.GroupNorm(NORM_GROUPS, first), nn.ReLU()]
        pairs = zip((first, *config.widths[:-2]), config.widths[:-1], strict=True)
        stages = [Residual(a, b, 1 if place == 0 else 2) for place, (a, b) in enumerate(pairs)]
        self.early = nn.Sequential(*stem, *stages)

    def late(self) -> nn.Module:
        return Pooled(self._before, self.width)


class LastBlock(nn.Module):
    """A Transformer's last block and norm; its feature is the mean of the patch tokens."""

    def __init__(self, block: Block, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.block = block
        self.norm = norm

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.norm(self.block(tokens))[:, 1:].mean(dim=1)


class VitBackbone:
    """`early` is a VisionTransformer without its last block and norm; `whole` gives them back."""

    def __init__(self, config: VitConfig) -> None:
        if config.depth < 2:
            raise ValueError(f"{config} has no block that could come before the last")
        if config.stem:
            raise ValueError(f"the batch norm of stem {config.stem} would tell a query which key is its own")
        self.width = config.width
        self.config = config
        encoder = VisionTransformer(config)
        encoder.blocks = encoder.blocks[:-1]
        encoder.norm = nn.Identity()  # type: ignore[assignment]
        self.early = encoder

    def late(self) -> nn.Module:
        fresh = VisionTransformer(self.config)
        return LastBlock(cast(Block, fresh.blocks[-1]), fresh.norm)


def whole_encoder(early: VisionTransformer, late: LastBlock) -> VisionTransformer:
    """The encoder whose two parts were trained: in evaluation mode, frozen, and apart from them."""
    encoder = copy.deepcopy(early)
    encoder.blocks.append(copy.deepcopy(late.block))
    encoder.norm = copy.deepcopy(late.norm)
    return encoder.eval().requires_grad_(False)
