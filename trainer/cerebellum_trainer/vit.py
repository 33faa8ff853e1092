"""Vision Transformer in the key layout of MVP and timm: `patch_embed.proj`, `blocks.N.attn.qkv`, `cls_token`,
`pos_embed`, `norm`. Facts behind it: patch embedding by convolution, pre-norm blocks, MLP ratio 4, bias in
qkv, LayerNorm eps 1e-6, exact GELU (Dosovitskiy et al. 2021; He et al. 2022). The head count cannot be read
from a state dict, so it is a required field and stored beside every checkpoint.

A convolutional stem is that of Xiao et al. 2021 (arXiv 2106.14881): 3x3 convolutions, each with batch norm
and ReLU, stride 2 where the channels grow and 1 where they stay, then a 1x1 convolution to the width.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from cerebellum_trainer.encoders.encoder import Encoder

LAYER_NORM_EPS = 1e-6
MLP_RATIO = 4
Activation = Literal["gelu", "quick-gelu"]


@dataclass(frozen=True)
class VitConfig:
    """Sizes of an encoder. `heads` has no default: a wrong guess loads without an error."""

    heads: int
    """Of attention; the width is divided among them."""
    image_px: int = 112
    """Side of the square picture [px]."""
    patch_px: int = 16
    """Side of a patch [px]."""
    width: int = 192
    """Numbers of a token."""
    depth: int = 6
    """Blocks."""
    mlp_ratio: int = MLP_RATIO
    """Width of a block's inner layer over its own."""
    stem: tuple[int, ...] = ()
    """Channels of a convolutional stem; none: patches are cut and projected."""
    activation: Activation = "gelu"
    """quick-gelu, x * sigmoid(1.702 x), is that of OpenAI's CLIP."""
    norm_eps: float = LAYER_NORM_EPS
    """Added to variances of its layer norms."""
    pre_norm: bool = False
    """A norm before the first block and no bias in the patch projection, as in CLIP."""
    learned_positions: bool = False
    """Trained with the rest; otherwise fixed sines and cosines."""

    def __post_init__(self) -> None:
        if self.image_px % self.patch_px or self.width % self.heads or self.width % 4:
            raise ValueError(f"{self} does not divide: image by patch, width by heads, width by 4")
        if self.stem and stem_stride(self.stem) != self.patch_px:
            raise ValueError(
                f"stem {self.stem} shrinks a picture {stem_stride(self.stem)} times, not {self.patch_px}: "
                "it halves it wherever the channels grow"
            )

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image_px // self.patch_px

    @property
    def patches(self) -> int:
        return self.grid**2

    def architecture(self) -> dict[str, Any]:
        """As in a manifest; what is as in MVP's encoders goes without saying."""
        told: dict[str, Any] = {
            "patchPx": self.patch_px,
            "width": self.width,
            "depth": self.depth,
            "heads": self.heads,
        }
        names = {
            "mlp_ratio": "mlpRatio",
            "stem": "stem",
            "activation": "activation",
            "norm_eps": "normEps",
            "pre_norm": "preNorm",
        }
        for name, value in self.uncommon().items():
            if name in names:
                told[names[name]] = list(value) if name == "stem" else value
        return told

    def identity(self) -> str:
        """The sizes that were there first always, the others where they are uncommon: old hashes stay."""
        sizes = ("heads", "image_px", "patch_px", "width", "depth")
        told = {name: getattr(self, name) for name in sizes} | self.uncommon()
        return f"VitConfig({', '.join(f'{name}={value!r}' for name, value in told.items())})"

    def uncommon(self) -> dict[str, Any]:
        """Fields after `depth` that differ from their defaults."""
        later = fields(self)[5:]
        return {f.name: getattr(self, f.name) for f in later if getattr(self, f.name) != f.default}


def stem_stride(channels: tuple[int, ...]) -> int:
    """How many times smaller each side comes out: twice for every convolution that adds channels."""
    before = (3, *channels)
    return 2 ** sum(now != last for last, now in zip(before, channels, strict=False))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(b, n, width) -> (b, n, width)."""
        batch, count, width = tokens.shape
        qkv = self.qkv(tokens).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, count, width))


class Mlp(nn.Module):
    def __init__(self, width: int, ratio: int = MLP_RATIO, activation: Activation = "gelu") -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, ratio * width)
        self.fc2 = nn.Linear(ratio * width, width)
        self.activation = F.gelu if activation == "gelu" else quick_gelu

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.activation(self.fc1(tokens)))


def quick_gelu(values: torch.Tensor) -> torch.Tensor:
    """The approximation of GELU that OpenAI's CLIP was trained with (Hendrycks and Gimpel 2016)."""
    return values * torch.sigmoid(1.702 * values)


class Block(nn.Module):
    def __init__(
        self,
        width: int,
        heads: int,
        mlp_ratio: int = MLP_RATIO,
        activation: Activation = "gelu",
        norm_eps: float = LAYER_NORM_EPS,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=norm_eps)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=norm_eps)
        self.mlp = Mlp(width, mlp_ratio, activation)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class PatchEmbed(nn.Module):
    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.stem = conv_stem(config.stem)
        before = config.stem[-1] if config.stem else 3
        size = 1 if config.stem else config.patch_px
        self.proj = nn.Conv2d(before, config.width, size, stride=size, bias=not config.pre_norm)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, image, image) -> (b, patches, width), row by row from the top left."""
        return self.proj(self.stem(images)).flatten(2).transpose(1, 2)


def conv_stem(channels: tuple[int, ...]) -> nn.Sequential:
    """The 3x3 convolutions of a stem; nothing for no channels."""
    layers: list[nn.Module] = []
    for last, now in zip((3, *channels), channels, strict=False):
        stride = 1 if now == last else 2
        layers += [
            nn.Conv2d(last, now, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(now),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)


class VisionTransformer(Encoder):
    """`pos_embed` is (1, 1 + patches, width), class token first."""

    family = "vit"
    config: VitConfig

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        positions = sincos_positions(config.grid, config.width)
        self.pos_embed = nn.Parameter(positions, requires_grad=config.learned_positions)
        norm_eps = config.norm_eps
        self.norm_pre = nn.LayerNorm(config.width, eps=norm_eps) if config.pre_norm else nn.Identity()
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.mlp_ratio, config.activation, norm_eps)
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(config.width, eps=norm_eps)
        self.apply(initialise)
        nn.init.normal_(self.cls_token, std=0.02)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, image, image) normalised -> (b, patches, width) with their positions, before any block."""
        return self.patch_embed(images) + self.pos_embed[:, 1:]

    def encode(self, patches: torch.Tensor) -> torch.Tensor:
        """(b, k, width) of any k patches -> (b, 1 + k, width) after the final norm, class token first."""
        first = (self.cls_token + self.pos_embed[:, :1]).expand(patches.shape[0], -1, -1)
        tokens = self.norm_pre(torch.cat([first, patches], dim=1))
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, image, image) normalised -> (b, 1 + patches, width)."""
        return self.encode(self.embed(images))


def initialise(module: nn.Module) -> None:
    """Xavier-uniform weights, zero biases; the patch convolution as the linear map it is (He et al. 2022)."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight.data.view(module.weight.shape[0], -1))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def sincos_positions(grid: int, width: int) -> torch.Tensor:
    """(1, 1 + grid^2, width): zeros for the class token, then half the width for x, half for y.

    Source: Vaswani et al. 2017, in two dimensions as in MAE (He et al. 2022).
    """
    frequency = 1.0 / 10000 ** (torch.arange(width // 4, dtype=torch.float64) / (width / 4))
    row, column = torch.meshgrid(torch.arange(grid), torch.arange(grid), indexing="ij")
    parts = []
    for axis in (column, row):
        angle = axis.reshape(-1, 1) * frequency
        parts += [angle.sin(), angle.cos()]
    table = torch.cat(parts, dim=1)
    return torch.cat([torch.zeros(1, width), table.float()])[None]
