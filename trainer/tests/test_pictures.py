"""What a sample of pre-training is: the right part of the right picture, whatever decoded it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.mae.crops import WHOLE, CropRange
from cerebellum_trainer.mae.pictures import Pictures, Rendered, resized


def slope(width: int, height: int) -> np.ndarray:
    """Red says how far right, green how far down, both 0 to 250."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 250, width)[None, :]
    image[..., 1] = np.linspace(0, 250, height)[:, None]
    image[..., 2] = 80
    return image


def jpeg(image: np.ndarray) -> Image.Image:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=95)
    return Image.open(io.BytesIO(stream.getvalue()))


def test_crops_stay_inside_and_within_their_range() -> None:
    crop = CropRange(0.1, 0.5)
    generator = np.random.default_rng(0)
    areas = []
    for _ in range(500):
        left, top, right, lower = crop.box(340, 256, generator)
        assert 0 <= left < right <= 340
        assert 0 <= top < lower <= 256
        assert 1 / 1.34 < (right - left) / (lower - top) < 1.34
        areas.append((right - left) * (lower - top) / (340 * 256))
    assert min(areas) == pytest.approx(0.1, abs=0.01)
    assert max(areas) == pytest.approx(0.5, abs=0.01)
    assert np.mean(areas) == pytest.approx(0.3, abs=0.02)


def test_where_no_crop_fits_it_is_the_middle() -> None:
    assert CropRange(1, 1).box(1000, 100, np.random.default_rng(0)) == pytest.approx(
        (433.33, 0, 566.67, 100), abs=0.1
    )
    assert WHOLE.box(112, 112, np.random.default_rng(0)) == (0, 0, 112, 112)
    for wrong in (CropRange(0, 1), CropRange(0.6, 0.5), CropRange(0.5, 1.1), CropRange(aspect_max=0.9)):
        with pytest.raises(TrainerError):
            wrong.check()


@pytest.mark.parametrize("width", [160, 700, 1300], ids=lambda w: f"{w} px wide")
def test_the_part_is_the_same_whether_a_jpeg_is_decoded_small_or_whole(width: int) -> None:
    image = slope(width, round(width * 3 / 4))
    crop = CropRange(0.3, 0.9, flip=False)
    for seed in range(5):
        box = crop.box(*image.shape[1::-1], np.random.default_rng(seed))
        found = resized(jpeg(image), crop, 64, np.random.default_rng(seed))
        plain = resized(Image.fromarray(image), crop, 64, np.random.default_rng(seed))
        assert found.shape == (64, 64, 3)
        assert np.abs(found.astype(int) - plain).max() <= 6
        middle = [(box[0] + box[2]) / 2 / width * 250, (box[1] + box[3]) / 2 / image.shape[0] * 250]
        np.testing.assert_allclose(found[31:33, 31:33, :2].mean(axis=(0, 1)), middle, atol=3)


def test_a_flip_mirrors_left_and_right_only() -> None:
    image = slope(64, 64)
    seen = set()
    for seed in range(12):
        found = resized(Image.fromarray(image), CropRange(1, 1), 64, np.random.default_rng(seed))
        mirrored = bool(found[0, 0, 0] > found[0, -1, 0])
        seen.add(mirrored)
        np.testing.assert_array_equal(found[:, ::-1] if mirrored else found, image)
    assert seen == {True, False}


def test_a_sample_depends_on_its_generator_alone() -> None:
    images = np.stack([slope(64, 64), slope(64, 64)[::-1]])
    pictures = Pictures([Rendered(images, "r", CropRange(0.2, 0.8))], 32, 4)
    one, same, other = (pictures.sample(1, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one[0], same[0])
    np.testing.assert_array_equal(one[1], same[1])
    assert not np.array_equal(one[0], other[0])
    assert not np.array_equal(one[1], other[1])
