"""Vision Transformer in the key layout of MVP and timm: `patch_embed.proj`, `blocks.N.attn.qkv`, `cls_token`,
`pos_embed`, `norm`. Facts behind it: patch embedding by convolution, pre-norm blocks, MLP ratio 4, bias in
qkv, LayerNorm eps 1e-6, exact GELU (Dosovitskiy et al. 2021; He et al. 2022). The head count cannot be read
from a state dict, so it is a required field and stored beside every checkpoint.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from cerebellum_trainer.errors import TrainerError

LAYER_NORM_EPS = 1e-6
MLP_RATIO = 4
SCHEMA = "cerebellum/encoder@1"


@dataclass(frozen=True)
class VitConfig:
    """Sizes of an encoder. `heads` has no default: a wrong guess loads without an error."""

    heads: int
    image_px: int = 112
    patch_px: int = 16
    width: int = 192
    depth: int = 6

    def __post_init__(self) -> None:
        if self.image_px % self.patch_px or self.width % self.heads or self.width % 4:
            raise ValueError(f"{self} does not divide: image by patch, width by heads, width by 4")

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image_px // self.patch_px

    @property
    def patches(self) -> int:
        return self.grid**2


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
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.gelu(self.fc1(tokens)))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.mlp = Mlp(width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class PatchEmbed(nn.Module):
    def __init__(self, patch_px: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=patch_px, stride=patch_px)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, image, image) -> (b, patches, width), row by row from the top left."""
        return self.proj(images).flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """Positions are fixed sines and cosines: `pos_embed` (1, 1 + patches, width), class token first."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config.patch_px, config.width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(sincos_positions(config.grid, config.width), requires_grad=False)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=LAYER_NORM_EPS)
        self.apply(initialise)
        nn.init.normal_(self.cls_token, std=0.02)

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, image, image) normalised -> (b, patches, width) with their positions, before any block."""
        return self.patch_embed(images) + self.pos_embed[:, 1:]

    def encode(self, patches: torch.Tensor) -> torch.Tensor:
        """(b, k, width) of any k patches -> (b, 1 + k, width) after the final norm, class token first."""
        first = (self.cls_token + self.pos_embed[:, :1]).expand(patches.shape[0], -1, -1)
        tokens = torch.cat([first, patches], dim=1)
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


def save_encoder(encoder: VisionTransformer, path: Path, pretraining: str) -> None:
    """Writes safetensors; its header has the sizes, heads included, and `pretraining` ("mae" or "none")."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"schema": SCHEMA, "config": json.dumps(asdict(encoder.config)), "pretraining": pretraining}
    tensors = {name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}
    save_file(tensors, path, metadata=header)


def load_encoder(path: Path) -> tuple[VisionTransformer, str]:
    """The frozen encoder in evaluation mode, and how it was pre-trained. Other keys (a decoder) are allowed.

    Raises: TrainerError ENCODER_UNREADABLE if the file is not one of ours or a weight is missing.
    """
    try:
        with safe_open(path, framework="pt") as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, str(error)) from error
    if header.get("schema") != SCHEMA:
        raise _unreadable(path, f"its schema is {header.get('schema')}, not {SCHEMA}")
    encoder = VisionTransformer(VitConfig(**json.loads(header["config"])))
    missing = encoder.load_state_dict(tensors, strict=False).missing_keys
    if missing:
        raise _unreadable(path, f"it lacks {', '.join(missing)}")
    return encoder.eval().requires_grad_(False), header["pretraining"]


def _unreadable(path: Path, why: str) -> TrainerError:
    return TrainerError("ENCODER_UNREADABLE", f"{path} is no encoder: {why}", "Run the pretrain command")
