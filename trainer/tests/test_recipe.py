"""What a policy can be compared by: inputs, norm, initialisation, augmentations, decay, a trained encoder."""

import pytest
import torch
from recording import write_episode

from cerebellum_trainer.clone import CloneConfig, clone
from cerebellum_trainer.controller import Controller, ControllerConfig, Scales, select_feature
from cerebellum_trainer.dataset import Dataset, read_dataset
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.finetune import FineTuning, batches, clone_and_finetune
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.mae import parameter_groups
from cerebellum_trainer.relight import Relighting, blurred, relit, shifted
from cerebellum_trainer.samples import Reading, Stillness
from cerebellum_trainer.vit import VisionTransformer

WIDTH, JOINTS = 16, 7
PLAIN = Scales(
    torch.zeros(WIDTH), torch.ones(WIDTH), torch.zeros(JOINTS), torch.ones(JOINTS), torch.tensor(0.05)
)


def controller(**options: object) -> Controller:
    torch.manual_seed(0)
    return Controller(ControllerConfig(**options), WIDTH, 7, JOINTS, PLAIN).eval()


def inputs(count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 49, WIDTH, generator=generator), torch.randn(count, JOINTS, generator=generator)


@torch.no_grad()
def test_without_an_input_nothing_of_it_counts() -> None:
    tokens, state = inputs()
    blind, numb = controller(uses_image=False), controller(uses_proprioception=False)
    assert torch.equal(blind(tokens, state), blind(tokens + 1, state))
    assert not torch.allclose(blind(tokens, state), blind(tokens, state + 1))
    assert torch.equal(numb(tokens, state), numb(tokens, state + 1))
    assert not torch.allclose(numb(tokens, state), numb(tokens + 1, state))


@torch.no_grad()
def test_a_trained_norm_is_a_gain_and_a_shift_behind_the_frozen_one(small_encoder: VisionTransformer) -> None:
    """Whatever gain and shift an encoder's norm is trained to, the frozen one with a pair behind it does."""
    width = small_encoder.config.width
    images = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(2))
    gain, shift = torch.rand(width) + 0.5, torch.randn(width)
    frozen = select_feature(small_encoder(images), "class-token")
    before = small_encoder.norm.weight.clone(), small_encoder.norm.bias.clone()
    small_encoder.norm.weight.copy_(before[0] * gain)
    small_encoder.norm.bias.copy_(before[1] * gain + shift)
    trained = select_feature(small_encoder(images), "class-token")
    small_encoder.norm.weight.copy_(before[0])
    small_encoder.norm.bias.copy_(before[1])
    torch.testing.assert_close(frozen * gain + shift, trained, atol=1e-5, rtol=1e-5)


def test_the_norm_is_trained_only_where_asked_for_and_without_decay() -> None:
    assert "norm_gain" not in dict(controller().named_parameters())
    model = controller(trains_norm=True)
    tokens, state = inputs()
    torch.testing.assert_close(model(tokens, state), controller()(tokens, state))
    model(tokens, state).square().sum().backward()
    assert model.norm_gain.grad.abs().max() > 0
    decayed, free = parameter_groups(model, 0.01)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.01, 0.0)
    named = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {named[id(p)] for p in free["params"]} >= {"norm_gain", "norm_shift", "head.0.bias"}
    assert {named[id(p)] for p in decayed["params"]} >= {"head.0.weight", "proprioception.weight"}


def test_tokens_norms_and_biases_of_an_encoder_go_without_decay(small_vit) -> None:
    model = VisionTransformer(small_vit)
    model.pos_embed.requires_grad_(False)
    decayed, free = parameter_groups(model, 0.05)
    named = {id(parameter): name for name, parameter in model.named_parameters()}
    assert all(named[id(p)].endswith("weight") and "norm" not in named[id(p)] for p in decayed["params"])
    assert {"cls_token", "norm.weight", "blocks.0.attn.qkv.bias"} <= {named[id(p)] for p in free["params"]}
    assert "pos_embed" not in {named[id(p)] for p in free["params"]}


def test_orthogonal_layers_keep_lengths_and_begin_with_hardly_any_motion() -> None:
    model = controller(initialisation="orthogonal", hidden=(512, 256, 128))
    layers = [layer for layer in model.head if isinstance(layer, torch.nn.Linear)]
    assert [layer.out_features for layer in layers] == [512, 256, 128, JOINTS]
    for layer, gain in zip(layers, [2**0.5, 2**0.5, 2**0.5, 0.01], strict=True):
        small = min(layer.weight.shape)
        square = (
            layer.weight @ layer.weight.T if layer.out_features == small else layer.weight.T @ layer.weight
        )
        torch.testing.assert_close(square, gain**2 * torch.eye(small), atol=1e-4, rtol=0)
    assert model(*inputs()).abs().max() < 0.01


def test_unstandardised_inputs_are_taken_as_they_are() -> None:
    tokens, state = inputs()
    scales = Scales.of(5 + tokens, state, 0.1 * state, ControllerConfig(standardises=False))
    assert (scales.feature_mean.abs().max(), scales.state_std.min()) == (0, 1)
    torch.testing.assert_close(scales.action, (0.1 * state).std())


def test_joint_noise_hides_what_only_the_exact_joints_tell() -> None:
    generator = torch.Generator().manual_seed(4)
    tokens = torch.zeros(1, 256, 50, WIDTH)
    state = 0.01 * torch.randn(256, JOINTS, generator=generator)
    none = torch.zeros(256, dtype=torch.bool)

    def follows(noise_rad: float) -> float:
        """How much of a joint's deviation the cloned answer gives back, as it was trained to."""
        recipe = CloneConfig(epochs=40, batch=64, learning_rate=3e-3, joint_noise_rad=noise_rad)
        model, _ = clone(tokens, state, state, none, none, ControllerConfig(), recipe, seed=0)
        with torch.no_grad():
            return float((model(tokens[0, :, 1:], state) * state).sum() / state.square().sum())

    assert follows(0.0) > 0.8
    # Noise of twice the deviation leaves 1 part in 5.
    assert follows(0.02) < 0.4


class TestAugmentations:
    PREPROCESSING = Preprocessing()

    def seen(self, images: torch.Tensor, **options: object) -> torch.Tensor:
        """As RGB in 0..1."""
        config = Relighting(gain=(1, 1), tint=(1, 1), **options)
        mean, std = (
            torch.tensor(v).view(1, 3, 1, 1) for v in (self.PREPROCESSING.mean, self.PREPROCESSING.std)
        )
        normalised = (images - mean) / std
        return relit(normalised, self.PREPROCESSING, config, torch.Generator().manual_seed(0)) * std + mean

    def test_defaults_leave_geometry_and_colour_alone(self) -> None:
        images = torch.rand(2, 3, 8, 8)
        torch.testing.assert_close(self.seen(images), images, atol=1e-6, rtol=0)

    def test_grey_pictures_have_one_brightness_in_all_colours(self) -> None:
        images = torch.rand(40, 3, 4, 4)
        grey = self.seen(images, grey_share=0.5)
        is_grey = (grey[:, 0] - grey[:, 1]).abs().amax(dim=(1, 2)) < 1e-5
        assert 8 < int(is_grey.sum()) < 32
        expected = 0.299 * images[:, 0] + 0.587 * images[:, 1] + 0.114 * images[:, 2]
        torch.testing.assert_close(grey[is_grey, 2], expected[is_grey], atol=1e-5, rtol=0)
        torch.testing.assert_close(grey[~is_grey], images[~is_grey], atol=1e-5, rtol=0)

    def test_a_blur_spreads_a_point_by_its_deviation(self) -> None:
        image = torch.zeros(1, 3, 31, 31)
        image[..., 15, 15] = 1
        spread = blurred(image, 2.0)[0, 0]
        places = torch.arange(31) - 15
        assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
        assert float((spread.sum(0) * places**2).sum()) == pytest.approx(4, rel=0.03)

    def test_a_shift_moves_columns_and_repeats_the_edge(self) -> None:
        image = torch.arange(5.0).expand(3, 2, 5)
        assert shifted(image, 2)[0, 0].tolist() == [0, 0, 0, 1, 2]
        assert shifted(image, -1)[0, 0].tolist() == [1, 2, 3, 4, 4]
        moved = self.seen(torch.rand(6, 3, 4, 16), shift_px=4)
        assert moved.shape == (6, 3, 4, 16)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("set")
    for seed in range(4):
        write_episode(folder, 1 + seed, seed=seed)
    return read_dataset([folder], "reach-block", Reading(), Preprocessing(), 5.0, Stillness(0.004, 0.03))


RECIPE = CloneConfig(batch=16, learning_rate=3e-3)


def test_a_trained_encoder_learns_and_leaves_the_given_one_alone(
    dataset: Dataset, small_encoder: VisionTransformer
) -> None:
    before = {name: value.clone() for name, value in small_encoder.state_dict().items()}
    config = FineTuning(images=25 * 16, batch=16)
    encoder, _, losses = clone_and_finetune(
        small_encoder, dataset, ControllerConfig(), RECIPE, config, Relighting(), seed=0
    )
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert all(torch.equal(before[name], value) for name, value in small_encoder.state_dict().items())
    changed = {name for name, value in encoder.state_dict().items() if not torch.equal(before[name], value)}
    assert {"patch_embed.proj.weight", "blocks.1.mlp.fc2.weight", "norm.weight"} <= changed
    assert "pos_embed" not in changed
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_a_loss_that_is_not_finite_ends_training_and_names_the_batch(
    dataset: Dataset, small_encoder: VisionTransformer
) -> None:
    broken = torch.full((1, 32, 50, WIDTH), float("nan"))
    state, none = torch.zeros(32, JOINTS), torch.zeros(32, dtype=torch.bool)
    with pytest.raises(TrainerError, match="nan in batch 1 of epoch 1") as caught:
        clone(broken, state, state + 0.1, none, none, ControllerConfig(), CloneConfig(batch=16), seed=0)
    assert caught.value.code == "LOSS_NOT_FINITE"
    wild = FineTuning(images=160, batch=16, encoder_learning_rate=1e30)
    with pytest.raises(TrainerError, match="in batch") as caught:
        clone_and_finetune(small_encoder, dataset, ControllerConfig(), RECIPE, wild, Relighting(), seed=0)
    assert caught.value.code == "LOSS_NOT_FINITE"


def test_batches_see_every_frame_before_any_comes_again() -> None:
    found = torch.cat(list(batches(10, 4, 5, torch.Generator().manual_seed(0))))
    assert len(found) == 20
    assert torch.equal(found.bincount(), torch.full((10,), 2))


@pytest.mark.parametrize("options", [{"hold_share_max": 1.0}, {"epochs": 0}, {"batch": 0}])
def test_a_recipe_that_trains_nothing_is_refused(options: dict) -> None:
    with pytest.raises(TrainerError) as caught:
        CloneConfig(**options)
    assert caught.value.code == "RECIPE_INVALID"
