"""A checkpoint of others as one of our encoders.

What weights cannot tell (heads, normalisation, the activation of a CLIP) is asked for and kept: a wrong guess
would load without an error.
"""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file

from cerebellum_trainer.encoders.layouts import Tensors, Translated, translate
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.vit import LAYER_NORM_EPS, Activation, VisionTransformer, VitConfig

# Entries of a training checkpoint that hold the model.
ENTRIES = ("model", "state_dict")
NAMED_MAX = 5


@dataclass(frozen=True)
class Unseen:
    """What the weights do not tell."""

    heads: int | None = None
    head_width: int | None = None
    """Where heads follow from the width; one of the two must be said."""
    norm_eps: float = LAYER_NORM_EPS
    activation: Activation = "gelu"


def read_tensors(path: Path) -> Tensors:
    """Tensors of a safetensors file or of a PyTorch file, from which nothing but tensors is ever unpickled.

    Raises: TrainerError CHECKPOINT_UNREADABLE.
    """
    if not path.is_file():
        raise unreadable(
            path, "there is no such file", "Name the checkpoint's file as it lies on this computer"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, EOFError) as error:
        raise unreadable(path, str(error), "Copy the file again in full") from error
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise unreadable(
            path,
            f"it holds more than tensors, and what else it holds is not run ({first_line(error)})",
            "Where you trust its source, save only its weights: "
            "torch.save({'model': loaded['model']}, FILE); those of a TorchScript file are "
            "torch.jit.load(FILE).state_dict()",
        ) from error
    for entry in ENTRIES:
        if isinstance(loaded, dict) and isinstance(loaded.get(entry), dict):
            loaded = loaded[entry]
    if not isinstance(loaded, dict):
        raise unreadable(path, f"it holds a {type(loaded).__name__}, not a state dict", "Save the state dict")
    tensors = {name: value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise unreadable(path, f"none of its {len(loaded)} entries is a tensor", "Save the state dict")
    return tensors


def encoder_of_checkpoint(path: Path, unseen: Unseen) -> tuple[VisionTransformer, Translated]:
    """The encoder, not frozen, in float32; sizes but for `unseen` are those of the weights.

    Raises: TrainerError CHECKPOINT_UNREADABLE, CHECKPOINT_OTHER if tensors are missing, unknown ones take
        part, sizes do not fit, or a weight is not finite.
    """
    translated = translate(read_tensors(path))
    tensors = {name: tensor.float() for name, tensor in translated.tensors.items()}
    encoder = VisionTransformer(config_of(path, tensors, unseen))
    wanted = encoder.state_dict()
    problems = {
        "lacks": [name for name in wanted if name not in tensors],
        "also has": [name for name in tensors if name not in wanted],
        "has sizes of another architecture in": [
            name for name in wanted if name in tensors and tensors[name].shape != wanted[name].shape
        ],
        "has numbers that are not finite in": [
            name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())
        ],
    }
    for what, names in problems.items():
        if names:
            raise other(path, f"it {what} {listed(names)}")
    encoder.load_state_dict(tensors)
    return encoder, translated


def config_of(path: Path, tensors: Tensors, unseen: Unseen) -> VitConfig:
    needed = ("cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.mlp.fc1.weight")
    missing = [name for name in needed if name not in tensors]
    if missing:
        raise other(
            path, f"it lacks {listed(missing)} (found: {listed(sorted(tensors)) or 'no part of a ViT'})"
        )
    width = tensors["cls_token"].shape[-1]
    places = tensors["pos_embed"].shape[1] - 1
    patch_px = tensors["patch_embed.proj.weight"].shape[-1]
    blocks = {int(name.split(".")[1]) for name in tensors if name.startswith("blocks.")}
    grid = math.isqrt(max(places, 0))
    if places < 1 or grid**2 != places:
        raise other(path, f"its {places + 1} positions are not a class token and a square of patches")
    try:
        return VitConfig(
            heads=unseen.heads or width // (unseen.head_width or width),
            image_px=grid * patch_px,
            patch_px=patch_px,
            width=width,
            depth=max(blocks) + 1,
            mlp_ratio=tensors["blocks.0.mlp.fc1.weight"].shape[0] // width,
            activation=unseen.activation,
            norm_eps=unseen.norm_eps,
            pre_norm="norm_pre.weight" in tensors,
        )
    except ValueError as error:
        raise other(path, str(error)) from error


def for_size(encoder: VisionTransformer, image_px: int) -> VisionTransformer:
    """The same for pictures of another size: its positions are resampled (bicubic, antialiased)."""
    config = replace(encoder.config, image_px=image_px)
    resized = VisionTransformer(config)
    state = encoder.state_dict()
    first, places = state["pos_embed"][:, :1], state["pos_embed"][:, 1:]
    grid = encoder.config.grid
    planes = places.reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    planes = F.interpolate(planes, size=(config.grid, config.grid), mode="bicubic", antialias=True)
    state["pos_embed"] = torch.cat([first, planes.flatten(2).transpose(1, 2)], dim=1)
    resized.load_state_dict(state)
    return resized


def listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more


def first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]


def unreadable(path: Path, why: str, remedy: str) -> TrainerError:
    return TrainerError("CHECKPOINT_UNREADABLE", f"{path} cannot be imported: {why}", remedy)


def other(path: Path, why: str) -> TrainerError:
    return TrainerError(
        "CHECKPOINT_OTHER",
        f"{path} is no Vision Transformer of the layouts of MVP, MAE, timm or CLIP: {why}",
        "Name the checkpoint of an image encoder, and the heads that it was trained with",
    )
