"""From a camera image to the encoder's input: crop, resize, normalise. The daemon does the same in
TypeScript, and the goldens of a bundle hold both to the same numbers. float32 throughout: nothing is
rounded to bytes.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError

from cerebellum_trainer.errors import TrainerError

Kernel = Literal["bilinear", "bilinear-antialias"]
# Of ImageNet's RGB / 255, the convention of MVP's checkpoints and of timm.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Crop:
    """Rectangle of the camera image that is kept [px]; x right, y down."""

    x_px: int
    y_px: int
    width_px: int
    height_px: int


def lower_centre(width_px: int, height_px: int) -> Crop:
    """Square of 14/15 of the height, 448 of 480, at the lower edge (MVP's on its real robot)."""
    side = min(width_px, round(height_px * 14 / 15))
    return Crop((width_px - side) // 2, height_px - side, side, side)


@dataclass(frozen=True)
class Preprocessing:
    """How a camera image becomes the encoder's input. Default crop: lower centre, as on MVP's real robot."""

    width_px: int = 640
    height_px: int = 480
    crop: Crop = Crop(x_px=96, y_px=32, width_px=448, height_px=448)
    size_px: int = 112
    kernel: Kernel = "bilinear-antialias"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def __post_init__(self) -> None:
        crop = self.crop
        inside = crop.x_px + crop.width_px <= self.width_px and crop.y_px + crop.height_px <= self.height_px
        if min(crop.x_px, crop.y_px) < 0 or min(crop.width_px, crop.height_px) < 1 or not inside:
            raise ValueError(f"crop {crop} does not lie inside {self.width_px}x{self.height_px}")
        if min(self.std) <= 0:
            raise ValueError(f"std {self.std} must be positive")

    def as_dict(self) -> dict:
        return asdict(self)

    def seen_by(
        self, width_px: int, height_px: int, crop: tuple[int, int, int, int] | None = None
    ) -> Preprocessing:
        """The same for a camera of this size: the encoder's own size, kernel, mean and std stay.

        `crop`: x, y, width, height [px]; the lower centre when None. Raises: TrainerError CROP_INVALID.
        """
        kept = lower_centre(width_px, height_px) if crop is None else Crop(*crop)
        try:
            return replace(self, width_px=width_px, height_px=height_px, crop=kept)
        except ValueError as error:
            raise TrainerError("CROP_INVALID", str(error), "Name a rectangle inside with --crop") from error


def normalise(images: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """(n, size, size, 3) RGB in 0..255 -> (n, 3, size, size) float32, (RGB / 255 - mean) / std."""
    mean = torch.tensor(preprocessing.mean, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std, device=images.device).view(1, 3, 1, 1)
    return (images.permute(0, 3, 1, 2).to(torch.float32) / 255 - mean) / std


def preprocess(image: np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
    """One camera image as the encoder's input.

    Args:
        image: (height, width, 3) uint8, RGB.
    Returns: (3, size, size) float32, normalised.
    Raises: ValueError if shape or type disagree.
    Kernels: "bilinear" samples 2x2 at half-pixel centres whatever the scale, as OpenCV does;
        "bilinear-antialias" widens the triangle by the scale, as PIL does.
    """
    if image.shape != (preprocessing.height_px, preprocessing.width_px, 3) or image.dtype != np.uint8:
        raise ValueError(
            f"image is {image.dtype} {image.shape}, not uint8 "
            f"({preprocessing.height_px}, {preprocessing.width_px}, 3)"
        )
    crop = preprocessing.crop
    kept = image[crop.y_px : crop.y_px + crop.height_px, crop.x_px : crop.x_px + crop.width_px]
    planes = torch.from_numpy(kept.astype(np.float32)).permute(2, 0, 1)[None]
    resized = F.interpolate(
        planes,
        size=(preprocessing.size_px, preprocessing.size_px),
        mode="bilinear",
        align_corners=False,
        antialias=preprocessing.kernel == "bilinear-antialias",
    )
    return normalise(resized.permute(0, 2, 3, 1), preprocessing)[0]


@dataclass(frozen=True)
class StoredImage:
    """An image as an episode keeps it: JPEG or PNG bytes, or packed pixels with their sizes."""

    data: bytes
    # Of raw pixels: width, height, bytes a row, encoding. None for JPEG and PNG.
    raw: tuple[int, int, int, str] | None = None

    @staticmethod
    def of(message: dict[str, Any]) -> StoredImage:
        """Of a decoded sensor_msgs CompressedImage or Image."""
        if "format" in message:
            return StoredImage(message["data"])
        raw = (message["width"], message["height"], message["step"], message["encoding"])
        return StoredImage(message["data"], raw)

    def pixels(self, preprocessing: Preprocessing) -> np.ndarray:
        """(height, width, 3) uint8 RGB. Raises: TrainerError IMAGE_UNREADABLE, IMAGE_SIZE."""
        if self.raw is None:
            return decode_image(self.data, preprocessing)
        width, height, step, encoding = self.raw
        if encoding not in ("rgb8", "bgr8") or step < 3 * width or len(self.data) != step * height:
            raise TrainerError(
                "IMAGE_UNREADABLE",
                f"An image is {encoding}, {width}x{height}, rows of {step} bytes, {len(self.data)} in all",
                "Record rgb8 or bgr8 images",
            )
        rows = np.frombuffer(self.data, np.uint8).reshape(height, step)[:, : 3 * width]
        image = rows.reshape(height, width, 3)
        return sized(np.ascontiguousarray(image if encoding == "rgb8" else image[..., ::-1]), preprocessing)


def decode_image(data: bytes, preprocessing: Preprocessing) -> np.ndarray:
    """JPEG or PNG bytes -> (height, width, 3) uint8 RGB.

    Raises: TrainerError IMAGE_UNREADABLE if it does not decode, IMAGE_SIZE if it has another size.
    """
    try:
        with Image.open(io.BytesIO(data)) as opened:
            image = np.array(opened.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise TrainerError(
            "IMAGE_UNREADABLE", f"An image of {len(data)} bytes does not decode", "Leave the episode out"
        ) from error
    return sized(image, preprocessing)


def sized(image: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    expected = (preprocessing.height_px, preprocessing.width_px)
    if image.shape[:2] != expected:
        raise TrainerError(
            "IMAGE_SIZE",
            f"An image is {image.shape[1]}x{image.shape[0]} where {expected[1]}x{expected[0]} is expected",
            "Record with the size that the episode says of its camera",
        )
    return image
