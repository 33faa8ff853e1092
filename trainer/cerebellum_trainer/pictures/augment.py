"""Augmentations as draw and apply: a view is made from numbers, so that another view can share some of them.

All work on (b, 3, size, size) RGB in 0..1 and on tables of numbers (b, k), a row an image. Chance comes from
the generator that is passed, or from PyTorch's own, which a training loop seeds anew for every step.

Sources: MoCo v2's recipe (Chen et al. 2020) for crop, colour and blur. Where others lay pictures of textures
over an image, here a drawn pattern stands for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

Chance = torch.Generator | None
Draw = Callable[[int, Chance], torch.Tensor]
Apply = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Augmentation:
    """`draw(b, generator)` -> (b, k) numbers; `apply(images, numbers)` -> images, without chance."""

    draw: Draw
    apply: Apply


# Of MoCo v2: factors 1 +- 0.4, hue +- 0.1 of a turn, for 80 % of the pictures; grey for 20 %.
JITTER, HUE_TURNS, JITTER_SHARE, GREY_SHARE = 0.4, 0.1, 0.8, 0.2
LUMA = (0.299, 0.587, 0.114)
# RGB -> luma and two colour differences (YIQ), in which a hue is an angle.
YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
CROP_AREA = (0.3, 1.0)
CROP_ASPECT = (3 / 4, 4 / 3)
BLUR_SHARE, BLUR_DEVIATION_PX = 0.5, (0.1, 1.0)
BLUR_REACH_PX = 2
TEXTURE_SHARE, TEXTURE_DEPTH = 0.8, 0.35


def between(count: int, low: float, high: float, generator: Chance) -> torch.Tensor:
    return low + (high - low) * torch.rand(count, 1, generator=generator)


def happens(count: int, share: float, generator: Chance) -> torch.Tensor:
    """(count, 1) of 0 and 1."""
    return (torch.rand(count, 1, generator=generator) < share).float()


def draw_colour(count: int, generator: Chance) -> torch.Tensor:
    """Brightness, contrast, saturation [factors], hue [rad]; a picture left alone has 1, 1, 1, 0."""
    jittered = happens(count, JITTER_SHARE, generator)
    factors = [1 + jittered * between(count, -JITTER, JITTER, generator) for _ in range(3)]
    hue = jittered * between(count, -HUE_TURNS, HUE_TURNS, generator) * 2 * math.pi
    factors[2] = factors[2] * (1 - happens(count, GREY_SHARE, generator))
    return torch.cat([*factors, hue], dim=1)


def apply_colour(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """One 3x3 matrix a picture for brightness, saturation and hue; contrast about the mean luma."""
    brightness, contrast, saturation, hue = numbers.to(images.device).unbind(dim=1)
    to_yiq = images.new_tensor(YIQ)
    turn = images.new_zeros(len(images), 3, 3)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * hue.cos()
    turn[:, 2, 1] = saturation * hue.sin()
    turn[:, 1, 2] = -turn[:, 2, 1]
    matrix = torch.linalg.inv(to_yiq) @ turn @ to_yiq * (brightness * contrast)[:, None, None]
    mean = (images.mean(dim=(2, 3)) @ images.new_tensor(LUMA)) * brightness * (1 - contrast)
    planes = torch.bmm(matrix, images.flatten(2)).view_as(images)
    return (planes + mean[:, None, None, None]).clamp(0, 1)


def draw_rotation(count: int, generator: Chance) -> torch.Tensor:
    """Quarter turns, 0 to 3."""
    return torch.randint(4, (count, 1), generator=generator).float()


def apply_rotation(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    turns = numbers[:, 0].to(images.device)
    out = images.clone()
    for turn in (1, 2, 3):
        chosen = turns == turn
        out[chosen] = torch.rot90(images[chosen], turn, dims=(2, 3))
    return out


def draw_texture(count: int, generator: Chance) -> torch.Tensor:
    """Depth, direction [rad], waves a picture, phase [rad], bend."""
    depth = happens(count, TEXTURE_SHARE, generator) * between(count, 0, TEXTURE_DEPTH, generator)
    direction = between(count, 0, math.pi, generator)
    waves, phase = between(count, 3, 9, generator), between(count, 0, 2 * math.pi, generator)
    return torch.cat([depth, direction, waves, phase, between(count, 0, 2, generator)], dim=1)


def apply_texture(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """Lightens and darkens along bent waves, as a pattern laid over all surfaces."""
    depth, direction, waves, phase, bend = (n[:, None, None] for n in numbers.to(images.device).unbind(dim=1))
    axis = torch.linspace(0, 1, images.shape[-1], device=images.device)
    x, y = axis[None, None, :], axis[None, :, None]
    along = (direction.cos() * x + direction.sin() * y) * waves * 2 * math.pi
    across = (direction.cos() * y - direction.sin() * x) * waves * 2 * math.pi
    pattern = torch.sin(along + phase + bend * torch.sin(across + phase))
    return (images * (1 + depth * pattern)[:, None]).clamp(0, 1)


def draw_frame(count: int, generator: Chance) -> torch.Tensor:
    """Width and height of the crop [share of the side], where its middle may be (-1..1), mirror (-1, 1)."""
    area = between(count, *CROP_AREA, generator)
    aspect = between(count, math.log(CROP_ASPECT[0]), math.log(CROP_ASPECT[1]), generator).exp()
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    free_x, free_y = between(count, -1, 1, generator), between(count, -1, 1, generator)
    return torch.cat([width, height, free_x, free_y, 1 - 2 * happens(count, 0.5, generator)], dim=1)


def apply_frame(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """Random resized crop and mirror, bilinear."""
    width, height, free_x, free_y, mirror = numbers.to(images.device).unbind(dim=1)
    motion = images.new_zeros(len(images), 2, 3)
    motion[:, 0, 0], motion[:, 1, 1] = width * mirror, height
    motion[:, 0, 2], motion[:, 1, 2] = free_x * (1 - width), free_y * (1 - height)
    grid = F.affine_grid(motion, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def draw_blur(count: int, generator: Chance) -> torch.Tensor:
    """Standard deviation [px]; 0 leaves a picture alone."""
    return happens(count, BLUR_SHARE, generator) * between(count, *BLUR_DEVIATION_PX, generator)


def apply_blur(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    deviation = numbers.to(images.device).clamp(min=1e-3)
    reach = torch.arange(-BLUR_REACH_PX, BLUR_REACH_PX + 1, device=images.device)
    kernel = torch.exp(-0.5 * (reach[None] / deviation) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(3, dim=0)[:, None]
    channels = images.flatten(0, 1)[None]
    padded = F.pad(channels, (BLUR_REACH_PX,) * 4, mode="replicate")
    rows = F.conv2d(padded, kernel[:, :, None, :], groups=channels.shape[1])
    return F.conv2d(rows, kernel[..., None], groups=channels.shape[1]).view_as(images)


# In the order in which they are applied: surface, light, then the camera.
AUGMENTATIONS: dict[str, Augmentation] = {
    "texture": Augmentation(draw_texture, apply_texture),
    "colour": Augmentation(draw_colour, apply_colour),
    "frame": Augmentation(draw_frame, apply_frame),
    "blur": Augmentation(draw_blur, apply_blur),
    "rotation": Augmentation(draw_rotation, apply_rotation),
}

Numbers = dict[str, torch.Tensor]


def draw_numbers(count: int, names: tuple[str, ...], generator: Chance = None) -> Numbers:
    """Fresh numbers of these augmentations, in order of application. Raises: ValueError for another name."""
    unknown = [name for name in names if name not in AUGMENTATIONS]
    if unknown:
        raise ValueError(f"{unknown} are none of the augmentations {list(AUGMENTATIONS)}")
    return {name: a.draw(count, generator) for name, a in AUGMENTATIONS.items() if name in names}


def apply_numbers(planes: torch.Tensor, numbers: Numbers) -> torch.Tensor:
    """(b, 3, size, size) RGB in 0..1 -> what these numbers make of it."""
    for name, rows in numbers.items():
        planes = AUGMENTATIONS[name].apply(planes, rows)
    return planes
