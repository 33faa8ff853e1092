import numpy as np
import pytest
import torch

from cerebellum_trainer.pictures.augment import AUGMENTATIONS, apply_numbers, draw_numbers
from cerebellum_trainer.pictures.corruptions import CORRUPTIONS, corrupt
from cerebellum_trainer.pictures.draw import FACTORS, PicturesConfig, draw_pictures
from cerebellum_trainer.pictures.shapes import SHAPES
from cerebellum_trainer.pictures.textures import TEXTURES

TURNED = PicturesConfig(turned=True)


def test_pictures_repeat_and_do_not_depend_on_their_number() -> None:
    many, few = draw_pictures(300, 5, TURNED), draw_pictures(3, 5, TURNED)
    np.testing.assert_array_equal(many.images[:3], few.images)
    for factor in FACTORS:
        np.testing.assert_array_equal(many.labels[factor][:3], few.labels[factor])
    assert not np.array_equal(few.images, draw_pictures(3, 6, TURNED).images)


def test_every_class_occurs_and_factors_do_not_tell_of_each_other() -> None:
    labels = draw_pictures(1500, 0, PicturesConfig(size_px=8, turned=True)).labels
    for factor, classes in FACTORS.items():
        counts = np.bincount(labels[factor], minlength=classes)
        assert counts.min() > 0.7 * 1500 / classes
        for other in FACTORS:
            if other != factor:
                assert abs(np.corrcoef(labels[factor], labels[other])[0, 1]) < 0.1


def test_a_turned_picture_is_the_upright_one_turned() -> None:
    """Its object, its shade and its light: nothing in the picture stays upright."""
    turned, upright = draw_pictures(40, 1, TURNED), draw_pictures(40, 1, PicturesConfig())
    assert set(upright.labels["turn"]) == {0}
    for image, turn, straight in zip(turned.images, turned.labels["turn"], upright.images, strict=True):
        np.testing.assert_array_equal(image, np.rot90(straight, turn))


def test_shapes_have_an_up_and_are_not_each_others_turns() -> None:
    axis = np.linspace(-1, 1, 61, dtype=np.float32)
    masks = {name: shape(axis[None, :], axis[::-1, None]) > 0 for name, shape in SHAPES.items()}
    for name, mask in masks.items():
        assert 0.15 < mask.mean() < 0.7, name
        for other, against in masks.items():
            for turn in range(4):
                if (name, 0) != (other, turn):
                    overlap = np.rot90(mask, turn)
                    agreement = (overlap & against).sum() / (overlap | against).sum()
                    assert agreement < 0.85 or (name == other and turn == 0), (name, other, turn)


def test_textures_differ() -> None:
    wave = np.linspace(0, 8 * np.pi, 80, dtype=np.float32)
    u, v = np.meshgrid(wave, wave)
    drawn = {name: texture(u, v) for name, texture in TEXTURES.items()}
    for name, pattern in drawn.items():
        assert np.abs(pattern).max() <= 1
        for other, against in drawn.items():
            assert name == other or np.abs(pattern - against).mean() > 0.25, (name, other)


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
def test_an_augmentation_is_its_numbers(name: str) -> None:
    """The same numbers make the same view; other numbers another one; pictures of a batch do not mix."""
    images = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    augmentation = AUGMENTATIONS[name]
    numbers = augmentation.draw(6, torch.Generator().manual_seed(4))
    assert torch.equal(numbers, augmentation.draw(6, torch.Generator().manual_seed(4)))
    view = augmentation.apply(images, numbers)
    assert view.shape == images.shape
    assert 0 <= view.min() <= view.max() <= 1
    for row in range(6):
        alone = augmentation.apply(images[row : row + 1], numbers[row : row + 1])
        torch.testing.assert_close(alone, view[row : row + 1], atol=1e-5, rtol=0)
    assert not torch.equal(
        view, augmentation.apply(images, augmentation.draw(6, torch.Generator().manual_seed(5)))
    )


def test_colour_leaves_alone_what_its_numbers_say() -> None:
    images = torch.rand(2, 3, 8, 8)
    apply = AUGMENTATIONS["colour"].apply
    torch.testing.assert_close(apply(images, torch.tensor([[1.0, 1, 1, 0]] * 2)), images, atol=1e-4, rtol=0)
    grey = apply(images, torch.tensor([[1.0, 1, 0, 0.5]] * 2))
    assert (grey.amax(dim=1) - grey.amin(dim=1)).max() < 0.01
    torch.testing.assert_close(
        apply(images, torch.tensor([[0.5, 1, 1, 0]] * 2)), images / 2, atol=1e-4, rtol=0
    )


def test_rotation_is_numpys_quarter_turn() -> None:
    images = torch.rand(4, 3, 8, 8)
    view = AUGMENTATIONS["rotation"].apply(images, torch.arange(4.0)[:, None])
    for turn in range(4):
        np.testing.assert_array_equal(view[turn].numpy(), np.rot90(images[turn].numpy(), turn, axes=(1, 2)))


def test_a_whole_frame_that_is_not_mirrored_is_the_picture() -> None:
    images = torch.rand(2, 3, 16, 16)
    numbers = torch.tensor([[1.0, 1.0, 0.3, -0.3, 1.0], [1.0, 1.0, 0.0, 0.0, -1.0]])
    view = AUGMENTATIONS["frame"].apply(images, numbers)
    torch.testing.assert_close(view[0], images[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(view[1], images[1].flip(2), atol=1e-5, rtol=0)


def test_augmentations_come_in_one_order_and_unknown_ones_are_refused() -> None:
    names = list(draw_numbers(2, ("rotation", "colour", "frame")))
    assert names == ["colour", "frame", "rotation"]
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(apply_numbers(images, {}), images)
    with pytest.raises(ValueError, match="sharpness"):
        draw_numbers(2, ("sharpness",))


def test_damage_grows_with_its_strength() -> None:
    images = draw_pictures(20, 2).images
    for family in CORRUPTIONS.values():
        for name, damage in family.items():
            off = [np.abs(corrupt(images, damage, s, 0).astype(int) - images).mean() for s in (1, 3, 5)]
            assert off[0] > 0.3, name
            assert off[0] < off[1] < off[2], (name, off)
            np.testing.assert_array_equal(corrupt(images, damage, 2, 1), corrupt(images, damage, 2, 1))
    with pytest.raises(ValueError, match="strength 6"):
        corrupt(images, CORRUPTIONS["blur"]["motion"], 6, 0)


def test_impossible_sets_are_refused() -> None:
    with pytest.raises(ValueError, match="0 pictures"):
        draw_pictures(0, 0)
    with pytest.raises(ValueError, match="4 px"):
        draw_pictures(1, 0, PicturesConfig(size_px=4))
