"""Checkpoints of others in our key layout: MVP, MAE and timm have it already, CLIP's image towers have two.

What takes no part in the encoder (decoder, classifier, the whole text tower) is left out and listed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

Tensors = dict[str, torch.Tensor]

# A tensor whose name begins so takes part in the computation: one that is unknown means another architecture.
OWN_PARTS = ("cls_token", "pos_embed", "patch_embed", "norm_pre", "blocks", "norm", "reg_token", "dist_token")

OPENAI_WHOLE = {
    "class_embedding": "cls_token",
    "positional_embedding": "pos_embed",
    "conv1.weight": "patch_embed.proj.weight",
    "ln_pre": "norm_pre",
    "ln_post": "norm",
}
OPENAI_BLOCK = {
    "ln_1": "norm1",
    "ln_2": "norm2",
    "attn.in_proj_": "attn.qkv.",
    "attn.out_proj": "attn.proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
HF_WHOLE = {
    "embeddings.class_embedding": "cls_token",
    "embeddings.position_embedding.weight": "pos_embed",
    "embeddings.patch_embedding.weight": "patch_embed.proj.weight",
    # Spelt so in Hugging Face's model.
    "pre_layrnorm": "norm_pre",
    "post_layernorm": "norm",
}
HF_BLOCK = {
    "layer_norm1": "norm1",
    "layer_norm2": "norm2",
    # Three matrices that are one here: joined below.
    "self_attn.q_proj": "attn.q_proj",
    "self_attn.k_proj": "attn.k_proj",
    "self_attn.v_proj": "attn.v_proj",
    "self_attn.out_proj": "attn.proj",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}


@dataclass(frozen=True)
class Translated:
    """Tensors under our names, and the names of those that take no part."""

    tensors: Tensors
    left_out: tuple[str, ...]


def translate(found: Tensors) -> Translated:
    """Of any layout that is known, by its names. Shapes of class token and positions are made ours too."""
    plain = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    if any(name.startswith("vision_model.") for name in plain):
        return from_tower(plain, "vision_model.", r"encoder\.layers\.(\d+)\.", HF_WHOLE, HF_BLOCK)
    if any(name.startswith("visual.") for name in plain):
        return from_tower(plain, "visual.", r"transformer\.resblocks\.(\d+)\.", OPENAI_WHOLE, OPENAI_BLOCK)
    own = {name: tensor for name, tensor in plain.items() if is_own(name)}
    return Translated(own, tuple(name for name in plain if name not in own))


def is_own(name: str) -> bool:
    return name.split(".")[0] in OWN_PARTS


def from_tower(
    found: Tensors, tower: str, block: str, whole: dict[str, str], inside: dict[str, str]
) -> Translated:
    """An image tower whose names begin with `tower`; `block` is the pattern of a block's."""
    ours: Tensors = {}
    left_out: list[str] = []
    for name, tensor in found.items():
        rest = name.removeprefix(tower)
        match = re.match(block, rest)
        if match is None:
            renamed = renamed_by(whole, rest)
        else:
            renamed = renamed_by(inside, rest[match.end() :], f"blocks.{match[1]}.")
        if name.startswith(tower) and renamed is not None:
            ours[renamed] = tensor
        else:
            left_out.append(name)
    return Translated(shaped(joined(ours)), tuple(left_out))


def renamed_by(names: dict[str, str], name: str, before: str = "") -> str | None:
    for theirs, own in names.items():
        if name.startswith(theirs):
            return before + own + name[len(theirs) :]
    return None


def joined(tensors: Tensors) -> Tensors:
    """Separate projections of query, key and value as one, in this order."""
    whole = dict(tensors)
    for name in tensors:
        block, _, kind = name.partition(".attn.q_proj.")
        parts = [f"{block}.attn.{letter}_proj.{kind}" for letter in "qkv"]
        if kind and all(part in tensors for part in parts):
            whole[f"{block}.attn.qkv.{kind}"] = torch.cat([whole.pop(part) for part in parts])
    return whole


def shaped(tensors: Tensors) -> Tensors:
    width = tensors["cls_token"].shape[-1] if "cls_token" in tensors else -1
    shapes = {"cls_token": (1, 1, width), "pos_embed": (1, -1, width)}
    return {
        name: tensor.reshape(shapes[name]) if name in shapes else tensor for name, tensor in tensors.items()
    }
