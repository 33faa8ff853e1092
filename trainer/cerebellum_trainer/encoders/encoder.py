"""What the rest of the trainer, and the daemon, expect of an encoder: pictures in, tokens out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import torch
from torch import nn

Pretraining = Literal["mae", "none", "supervised", "clip", "contrastive"]
"""What taught it to see. The manifest has the same words (policies/manifest.ts)."""


class EncoderConfig(Protocol):
    """Sizes of an encoder: a frozen dataclass of plain values."""

    @property
    def image_px(self) -> int:
        """Side of the square picture that it takes."""

    @property
    def patch_px(self) -> int:
        """Distance from one place of its grid to the next, in pixels of that picture."""

    @property
    def width(self) -> int:
        """Numbers in a token."""

    @property
    def grid(self) -> int:
        """Places along one side."""

    @property
    def patches(self) -> int:
        """Places in all: the tokens but for the first."""

    def architecture(self) -> dict[str, Any]:
        """Section `encoder.architecture` of a manifest."""

    def identity(self) -> str:
        """All that a state dict does not tell, in a form that never changes: it is hashed."""


class Encoder(nn.Module, ABC):
    """A module from (b, 3, image, image) normalised pictures to (b, 1 + patches, width) tokens.

    The first token stands for the whole picture (a class token, or the mean of the others); the rest are the
    places of its grid, row by row from the top left.
    """

    family: ClassVar[str]
    """In the header of its file (files.py); `config` is then a dataclass of plain values."""
    config: EncoderConfig

    @abstractmethod
    def forward(self, images: torch.Tensor) -> torch.Tensor: ...


AnyEncoder = TypeVar("AnyEncoder", bound=Encoder)


def frozen(encoder: AnyEncoder) -> AnyEncoder:
    """The same in evaluation mode, without gradients."""
    return encoder.eval().requires_grad_(False)
