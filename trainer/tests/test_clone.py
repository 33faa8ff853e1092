import numpy as np
import pytest
import torch

from cerebellum_trainer.clone import CloneConfig, clone, held_out_error, select_frames
from cerebellum_trainer.controller import AttentionPool, Controller, ControllerConfig, Scales, token_places
from cerebellum_trainer.errors import TrainerError

PATCHES = ControllerConfig()


def spotted(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noise in which one patch carries a mark, the action that says where it is, and joints that do not."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(count, 1 + 49, 16, generator=generator)
    chosen = torch.randint(49, (count,), generator=generator)
    tokens[torch.arange(count), 1 + chosen, :4] += 6
    action = torch.zeros(count, 7)
    action[:, :2] = 0.05 * token_places(7)[chosen]
    return tokens, torch.randn(count, 7, generator=generator), action


def test_pooling_tells_where_it_looked() -> None:
    pool = AttentionPool(width=16, grid=7, queries=4, out=8)
    with torch.no_grad():
        pool.query.zero_()
        pool.query[:, 0] = 3.0
    tokens = torch.zeros(1, 49, 16)
    row, column = 2, 5
    tokens[0, row * 7 + column, 0] = 20.0
    means, places = pool.attend(tokens)
    torch.testing.assert_close(places[0, 0], torch.tensor([column / 3 - 1, row / 3 - 1]))
    torch.testing.assert_close(means[0, 0], tokens[0, row * 7 + column])
    assert pool(tokens).shape == (1, 8)


def test_even_attention_looks_at_the_centre() -> None:
    _, places = AttentionPool(16, 7, 4, 8).attend(torch.zeros(2, 49, 16))
    torch.testing.assert_close(places, torch.zeros(2, 4, 2), atol=1e-6, rtol=0)


def test_cloning_generalises_from_patches_but_not_from_an_empty_class_token() -> None:
    tokens, state, action = spotted(768, seed=1)
    fresh_tokens, fresh_state, fresh_action = spotted(256, seed=2)
    hold, fresh_hold = torch.zeros(768, dtype=torch.bool), torch.zeros(256, dtype=torch.bool)
    errors = {}
    for feature in ("patch-tokens", "class-token"):
        config = CloneConfig(epochs=40, learning_rate=3e-3)
        model, losses = clone(
            tokens[None], state, action, hold, hold, ControllerConfig(feature=feature), config, seed=0
        )
        assert losses[-1] < losses[0]
        errors[feature] = held_out_error(model, fresh_tokens, fresh_state, fresh_action, fresh_hold)
    nothing = errors["patch-tokens"]["reachZeroRmsRad"]
    assert errors["patch-tokens"]["reachRmsRad"] < 0.5 * nothing
    assert errors["class-token"]["reachRmsRad"] > 0.9 * nothing


def test_pooling_over_the_grid_knows_which_patch_said_it() -> None:
    tokens, state, action = spotted(768, seed=1)
    fresh_tokens, fresh_state, fresh_action = spotted(256, seed=2)
    hold, fresh_hold = torch.zeros(768, dtype=torch.bool), torch.zeros(256, dtype=torch.bool)
    grid = ControllerConfig(pooling="grid", patch_numbers=8)
    config = CloneConfig(epochs=25, learning_rate=3e-3)
    model, _ = clone(tokens[None], state, action, hold, hold, grid, config, seed=0)
    error = held_out_error(model, fresh_tokens, fresh_state, fresh_action, fresh_hold)
    assert error["reachRmsRad"] < 0.75 * error["reachZeroRmsRad"]
    mirrored = fresh_tokens[:, 1:].flip(1)
    answered = model(mirrored, fresh_state)[:, :2]
    assert torch.corrcoef(torch.stack([answered.flatten(), fresh_action[:, :2].flatten()]))[0, 1] < -0.5


def test_where_friction_leaves_a_finger_tells_a_controller_nothing() -> None:
    """A joint that follows the motion a little is no clock, and one that is off is led back."""
    tokens, state, action = spotted(768, seed=1)
    state[:, 6] = 0.01 * action[:, 0] / action[:, 0].std()
    hold = torch.zeros(768, dtype=torch.bool)

    def answers(finger_noise_rad: float) -> tuple[float, float]:
        """Change of joint 0's action, and of joint 6's own, with joint 6 [rad/rad]."""
        config = CloneConfig(epochs=40, learning_rate=3e-3, finger_noise_rad=finger_noise_rad)
        joints = [False] * 6 + [True]
        model, _ = clone(
            tokens[None], state, action, hold, hold, PATCHES, config, seed=0, is_compliant=joints
        )
        there = state.clone()
        there[:, 6] += 0.02
        change = (model(tokens[:, 1:], there) - model(tokens[:, 1:], state)).mean(dim=0) / 0.02
        return change[0].item(), change[6].item()

    clocked, free = answers(0.0)
    quiet, led_back = answers(0.03)
    assert clocked > 1
    assert abs(quiet) < 0.2 * clocked
    assert abs(free) < 0.2
    assert led_back == pytest.approx(-1, abs=0.3)


def test_the_same_seed_gives_the_same_controller() -> None:
    tokens, state, action = spotted(256, seed=1)
    hold = torch.zeros(256, dtype=torch.bool)
    runs = [
        clone(tokens[None], state, action, hold, hold, PATCHES, CloneConfig(epochs=3), seed=s)[1]
        for s in (5, 5, 6)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_still_frames_stay_only_at_the_end_and_within_their_share() -> None:
    still = torch.arange(100) >= 40
    hold = torch.arange(100) >= 50
    chosen = select_frames(still, hold, CloneConfig(hold_share_max=0.2), torch.Generator().manual_seed(0))
    assert torch.equal(chosen[:40], torch.arange(40))
    assert len(chosen) == 50
    assert (chosen[40:] >= 50).all()


def test_too_few_frames_are_refused() -> None:
    tokens, state, action = spotted(64, seed=1)
    none = torch.zeros(64, dtype=torch.bool)
    with pytest.raises(TrainerError) as caught:
        clone(tokens[None], state, action, none, none, PATCHES, CloneConfig(), seed=0)
    assert caught.value.code == "DATASET_SMALL"


def test_standardisation_lives_in_the_module() -> None:
    """Stretching the inputs and the scales together changes nothing; the action comes out in radians."""
    torch.manual_seed(0)
    tokens, state, action = spotted(64, seed=3)
    plain = Scales.of(tokens[:, 1:], state, action, PATCHES)
    model = Controller(PATCHES, 16, 7, 7, plain)
    stretched = Controller(
        PATCHES,
        16,
        7,
        7,
        Scales(
            plain.feature_mean * 3,
            plain.feature_std * 3,
            plain.state_mean * 2,
            plain.state_std * 2,
            plain.action * 5,
        ),
    )
    stretched.load_state_dict({**stretched.state_dict(), **dict(model.named_parameters())})
    with torch.no_grad():
        np.testing.assert_allclose(
            stretched(tokens[:, 1:] * 3, state * 2), 5 * model(tokens[:, 1:], state), rtol=1e-3, atol=1e-5
        )
