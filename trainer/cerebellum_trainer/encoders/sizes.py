"""Named sizes of Vision Transformers.

vit-p and vit-c: patchify and convolutional stem at 1, 4, 18 and 36 GF, table 2.1 of the thesis (Xiao et al.
2021, arXiv 2106.14881): MLP ratio 3 at 1 and 4 GF; 14 blocks instead of 24 at 36 GF; a convolutional stem
costs one block. mae: ViT-S, B and L as in He et al. 2022 and in MVP's checkpoints, whose ViT-S has 12 heads,
not 6.
"""

from __future__ import annotations

from dataclasses import dataclass

from cerebellum_trainer.vit import VitConfig


@dataclass(frozen=True)
class Scale:
    """Row of table 2.1; `depth` is that of the patchify stem."""

    width: int
    depth: int
    heads: int
    mlp_ratio: int
    stem: tuple[int, ...]


LARGE_STEM = (64, 128, 128, 256, 256, 512)
TABLE_2_1 = {
    "1gf": Scale(192, 12, 3, 3, (24, 48, 96, 192)),
    "4gf": Scale(384, 12, 6, 3, (48, 96, 192, 384)),
    "18gf": Scale(768, 12, 12, 4, LARGE_STEM),
    "36gf": Scale(1024, 14, 16, 4, LARGE_STEM),
}


def patchify(scale: Scale, image_px: int = 224) -> VitConfig:
    return VitConfig(
        heads=scale.heads,
        image_px=image_px,
        width=scale.width,
        depth=scale.depth,
        mlp_ratio=scale.mlp_ratio,
        learned_positions=True,
    )


def convolutional(scale: Scale, image_px: int = 224) -> VitConfig:
    return VitConfig(
        heads=scale.heads,
        image_px=image_px,
        width=scale.width,
        depth=scale.depth - 1,
        mlp_ratio=scale.mlp_ratio,
        stem=scale.stem,
        learned_positions=True,
    )


# heads, width, depth
MAE = {"s": (12, 384, 12), "b": (12, 768, 12), "l": (16, 1024, 24)}
SIZES: dict[str, VitConfig] = {
    "lab": VitConfig(heads=3),
    **{f"vit-p-{name}": patchify(scale) for name, scale in TABLE_2_1.items()},
    **{f"vit-c-{name}": convolutional(scale) for name, scale in TABLE_2_1.items()},
    **{
        f"mae-{name}-{image_px}": VitConfig(heads=heads, image_px=image_px, width=width, depth=depth)
        for name, (heads, width, depth) in MAE.items()
        for image_px in (224, 256)
    },
}
