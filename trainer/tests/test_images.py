import io

import numpy as np
import pytest
import torch
from PIL import Image

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Crop, Preprocessing, decode_image, preprocess
from cerebellum_trainer.relight import Relighting, hue_turns, relit

RANDOM = np.random.default_rng(5).integers(0, 256, (480, 640, 3), dtype=np.uint8)


def slow_axis_weights(size_in: int, size_out: int, antialias: bool) -> np.ndarray:
    """(out, in) weights of a triangle filter at half-pixel centres, written apart from the code tested."""
    scale = size_in / size_out
    reach = max(scale, 1.0) if antialias else 1.0
    weights = np.zeros((size_out, size_in))
    for out in range(size_out):
        centre = (out + 0.5) * scale - 0.5
        for place in range(int(np.floor(centre - reach)), int(np.ceil(centre + reach)) + 1):
            weight = max(0.0, 1 - abs(place - centre) / reach)
            if antialias:
                if 0 <= place < size_in:
                    weights[out, place] += weight
            else:
                weights[out, min(max(place, 0), size_in - 1)] += weight
        weights[out] /= weights[out].sum()
    return weights


@pytest.mark.parametrize("kernel", ["bilinear", "bilinear-antialias"])
@pytest.mark.parametrize("size", [112, 96])
def test_preprocessing_equals_slow_arithmetic(kernel: str, size: int) -> None:
    preprocessing = Preprocessing(size_px=size, kernel=kernel)
    kept = RANDOM[32:480, 96:544].astype(np.float64)
    weights = slow_axis_weights(448, size, kernel == "bilinear-antialias")
    resized = np.stack([weights @ kept[:, :, channel] @ weights.T for channel in range(3)], axis=-1)
    expected = ((resized / 255 - preprocessing.mean) / preprocessing.std).transpose(2, 0, 1)
    # float32 places between pixels are good to a few 1e-5 of a grey step when 448 does not divide.
    tolerance = 2e-5 if size == 112 else 3e-4
    np.testing.assert_allclose(preprocess(RANDOM, preprocessing).numpy(), expected, rtol=0, atol=tolerance)


def test_antialias_equals_pil_up_to_rounding() -> None:
    got = preprocess(RANDOM, Preprocessing(mean=(0, 0, 0), std=(1, 1, 1))).numpy().transpose(1, 2, 0) * 255
    pil = Image.fromarray(RANDOM[32:480, 96:544]).resize((112, 112), Image.Resampling.BILINEAR)
    assert np.abs(got - np.asarray(pil, dtype=np.float32)).max() < 1.01


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="not uint8"):
        preprocess(RANDOM[:400], Preprocessing())
    with pytest.raises(ValueError, match="does not lie inside"):
        Preprocessing(crop=Crop(x_px=300, y_px=0, width_px=448, height_px=448))
    stream = io.BytesIO()
    Image.fromarray(RANDOM[:240]).save(stream, "PNG")
    with pytest.raises(TrainerError) as caught:
        decode_image(stream.getvalue(), Preprocessing())
    assert caught.value.code == "IMAGE_SIZE"
    with pytest.raises(TrainerError) as caught:
        decode_image(b"\xff\xd8 no picture", Preprocessing())
    assert caught.value.code == "IMAGE_UNREADABLE"


def test_hue_turns_colours_and_leaves_greys() -> None:
    third = hue_turns(torch.tensor([2 * torch.pi / 3]))[0]
    torch.testing.assert_close(third @ torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.9, 0.2]))
    torch.testing.assert_close(third @ torch.full((3,), 0.4), torch.full((3,), 0.4))
    red = np.full((480, 640, 3), (200, 40, 20), np.uint8)
    colours = preprocess(red, Preprocessing())[None].repeat(8, 1, 1, 1)
    config = Relighting(gain=(1, 1), tint=(1, 1), hue_deg=180)
    turned = relit(colours, Preprocessing(), config, torch.Generator().manual_seed(0))
    assert len({tuple(round(value, 3) for value in image[:, 4, 4].tolist()) for image in turned}) == 8


def test_relighting_scales_colours_and_clips_like_a_sensor() -> None:
    preprocessing = Preprocessing()
    images = preprocess(RANDOM, preprocessing)[None].repeat(4, 1, 1, 1)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (preprocessing.mean, preprocessing.std))
    before = images * std + mean
    config = Relighting(gain=(1.4, 1.4), tint=(0.9, 1.1))
    after = relit(images, preprocessing, config, torch.Generator().manual_seed(0)) * std + mean
    assert after.max() <= 1 + 1e-6
    free = after < 0.999
    ratio = after / before
    for image in range(4):
        for colour in range(3):
            seen = ratio[image, colour][free[image, colour] & (before[image, colour] > 0.05)]
            assert 1.4 * 0.9 - 1e-3 < seen.mean() < 1.4 * 1.1 + 1e-3
            assert seen.std() < 1e-3
    unchanged = relit(images, preprocessing, Relighting(gain=(1, 1), tint=(1, 1)), torch.Generator())
    torch.testing.assert_close(unchanged, images, atol=1e-5, rtol=0)
