from pathlib import Path

import numpy as np
import pytest
import torch

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.mae import (
    MaeConfig,
    MaskedAutoencoder,
    cosine_rate,
    from_patches,
    open_corpus,
    pretrain,
    reconstruction_sheet,
    to_patches,
)
from cerebellum_trainer.mae.pictures import Pictures, Rendered
from cerebellum_trainer.vit import VisionTransformer, VitConfig

SMALL = MaeConfig(images=64 * 60, batch=64, decoder_width=32, decoder_depth=1, decoder_heads=2)


def corpus(count: int = 96) -> np.ndarray:
    """Grey gradients with a coloured square: something to predict from the neighbours."""
    generator = np.random.default_rng(0)
    ramp = np.linspace(60, 180, 112)[None, :, None, None]
    images = np.broadcast_to(ramp, (count, 112, 112, 3)).copy() * generator.uniform(
        0.6, 1.2, (count, 1, 1, 3)
    )
    for image in images:
        x, y = generator.integers(0, 80, 2)
        image[y : y + 24, x : x + 24] = generator.uniform(0, 255, 3)
    return images.clip(0, 255).astype(np.uint8)


def test_loss_falls_and_repeats_with_the_seed(small_vit: VitConfig) -> None:
    images = corpus()
    model, losses = pretrain(images, small_vit, SMALL, Preprocessing(), seed=0)
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    short = MaeConfig(**{**SMALL.__dict__, "images": 64 * 3})
    first, second, other = (pretrain(images, small_vit, short, Preprocessing(), seed=s)[1] for s in (7, 7, 8))
    assert first == second
    assert first != other
    sheet = reconstruction_sheet(model, images[:2], Preprocessing(), seed=0)
    assert sheet.size == (3 * 112, 2 * 112)


def test_three_quarters_are_hidden_and_none_twice(small_vit: VitConfig) -> None:
    model = MaskedAutoencoder(VisionTransformer(small_vit), MaeConfig(), 0.22)
    kept, hidden = model.mask(16, torch.Generator().manual_seed(0))
    assert kept.shape == (16, 12)
    assert hidden.shape == (16, 37)
    both = torch.cat([kept, hidden], dim=1).sort(dim=1).values
    assert torch.equal(both, torch.arange(49).expand(16, -1))
    assert not torch.equal(kept[0].sort().values, kept[1].sort().values)


def test_the_prediction_cannot_see_hidden_patches(small_vit: VitConfig) -> None:
    model = MaskedAutoencoder(VisionTransformer(small_vit), MaeConfig(), 0.22).eval()
    kept, hidden = model.mask(1, torch.Generator().manual_seed(0))
    images = torch.randn(1, 3, 112, 112)
    pixels = to_patches(images, 16)
    pixels[0, hidden[0]] = 5.0
    with torch.no_grad():
        before = model.reconstruct(images, kept, hidden)
        torch.testing.assert_close(before, model.reconstruct(from_patches(pixels, 16), kept, hidden))
        pixels[0, kept[0, 0]] = 5.0
        assert not torch.allclose(
            before, model.reconstruct(from_patches(pixels, 16), kept, hidden), atol=1e-4
        )


def test_patches_come_back_and_follow_the_encoders_order(small_encoder: VisionTransformer) -> None:
    images = torch.randn(2, 3, 112, 112)
    patches = to_patches(images, 16)
    assert torch.equal(from_patches(patches, 16), images)
    weight = small_encoder.patch_embed.proj.weight.flatten(1)
    torch.testing.assert_close(
        patches @ weight.T + small_encoder.patch_embed.proj.bias,
        small_encoder.patch_embed(images),
        atol=1e-4,
        rtol=0,
    )


def test_a_plain_patch_is_not_amplified(small_vit: VitConfig) -> None:
    """Noise of one grey level stays below a third of a deviation; without a floor it would be a whole one."""
    model = MaskedAutoencoder(VisionTransformer(small_vit), MaeConfig(), 0.225)
    noise = torch.randn(1, 3, 112, 112) * (1 / 255) / 0.225
    assert model.target(noise)[0].std() < 1 / 3


def test_schedule_warms_up_and_ends_at_zero() -> None:
    assert cosine_rate(0, 100, 0.1) == 0
    assert cosine_rate(10, 100, 0.1) == 1
    assert cosine_rate(55, 100, 0.1) == pytest.approx(0.5)
    assert cosine_rate(100, 100, 0.1) == pytest.approx(0)


def test_corpora_of_several_cells_are_one(tmp_path: Path) -> None:
    whole = corpus(30)
    for name, part in (("a", whole[:12]), ("b", whole[12:])):
        np.save(tmp_path / f"{name}.npy", part)
    sets = [Rendered(open_corpus(tmp_path / name, 112), name) for name in ("a.npy", "b.npy")]
    found = Pictures(sets, 112, 49)
    assert len(found) == 30
    for index in (0, 11, 12, 29):
        pixels, noise = found.sample(index, np.random.default_rng(0))
        np.testing.assert_array_equal(pixels.numpy(), whole[index])
        assert noise.shape == (49,)
    assert [found.name(index) for index in (11, 12)] == ["a.npy[11]", "b.npy[0]"]
    np.testing.assert_array_equal(found.some(5), whole[::6])


def test_a_corpus_of_another_shape_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "c.npy", np.zeros((4, 96, 96, 3), np.uint8))
    (tmp_path / "t.npy").write_text("text")
    for name in ("c.npy", "t.npy", "absent.npy"):
        with pytest.raises(TrainerError) as caught:
            open_corpus(tmp_path / name, 112)
        assert caught.value.code == "CORPUS_UNREADABLE"
