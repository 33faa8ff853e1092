"""The gripper as one more number of state and action, from recordings to the bundle."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from recording import write_episode

from cerebellum_trainer.clone import CloneConfig, clone, held_out_error
from cerebellum_trainer.commands.clone import Clone, run_clone
from cerebellum_trainer.controller import ControllerConfig, Scales
from cerebellum_trainer.dataset import load_dataset
from cerebellum_trainer.encoders.files import save_encoder
from cerebellum_trainer.episodes import select_episodes
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.samples import (
    Actions,
    Reading,
    Sample,
    Stillness,
    fingers_under_way,
    read_samples,
    samples_sha256,
)
from cerebellum_trainer.vit import VisionTransformer

STILL = Stillness(0.004, 0.03)
CLOSES_AT = 6


def closing(at: float) -> tuple[float, float]:
    """Asked to close at a step; two steps later they hold something."""
    share = min(1.0, max(0.0, (at - CLOSES_AT) / 2))
    return 0.08 - 0.042 * share, 0.0 if at >= CLOSES_AT else 0.08


def samples_of(folder: Path, actions: Actions, gripper: bool = True) -> list[Sample]:
    episode = select_episodes(folder, "reach-block").episodes[0]
    return read_samples(episode, Reading(actions, gripper=gripper), 5.0, STILL)


def test_a_teachers_opening_stands_beside_each_step_with_the_one_that_was_known(tmp_path: Path) -> None:
    write_episode(tmp_path, fingers=closing)
    samples = samples_of(tmp_path, "label")
    assert [sample.gripper_m for sample in samples] == [closing(step)[1] for step in range(14)]
    np.testing.assert_allclose([sample.opening_m for sample in samples], [closing(s)[0] for s in range(14)])


def test_what_was_asked_for_a_period_later_is_the_action_of_whoever_moved_it(tmp_path: Path) -> None:
    write_episode(tmp_path, fingers=closing)
    samples = samples_of(tmp_path, "sent")
    asked = [sample.gripper_m for sample in samples]
    assert asked.index(0.0) == CLOSES_AT - 1
    assert samples[CLOSES_AT].opening_m == pytest.approx(0.08)
    assert samples[-1].opening_m == pytest.approx(0.038)


def test_fingers_stay_as_they_are_while_nobody_has_asked(tmp_path: Path) -> None:
    write_episode(tmp_path, fingers=lambda at: (0.05, 0.0 if at >= CLOSES_AT else np.nan))
    asked = [sample.gripper_m for sample in samples_of(tmp_path, "sent")]
    assert asked[: CLOSES_AT - 1] == pytest.approx([0.05] * (CLOSES_AT - 1))
    assert asked[-1] == 0.0


def test_a_gripper_that_says_nothing_is_refused_by_name(tmp_path: Path) -> None:
    write_episode(tmp_path, fingers=lambda _at: (np.nan, 0.0))
    assert len(samples_of(tmp_path, "label", gripper=False)) == 14
    with pytest.raises(TrainerError) as caught:
        samples_of(tmp_path, "label")
    assert caught.value.code == "EPISODE_INCOMPLETE"
    assert "episode-000001" in str(caught.value)


def test_a_sample_whose_fingers_are_under_way_is_not_still() -> None:
    stamps = np.arange(20) * 200_000_000
    opening = np.full(20, 0.08)
    # Read seldom: the fingers move all the time between the two readings.
    opening[10:] = 0.04
    asked = np.where(np.arange(20) >= 8, 0.0, 0.08)
    under_way = fingers_under_way(stamps, opening, asked)
    assert under_way.tolist() == [4 <= place <= 13 for place in range(20)]
    assert not fingers_under_way(stamps, np.full(20, 0.08), np.full(20, 0.08)).any()


def test_the_data_sets_hash_covers_openings_only_where_they_are_learnt(tmp_path: Path) -> None:
    write_episode(tmp_path, fingers=closing)
    samples = samples_of(tmp_path, "label")
    other = [Sample(**{**vars(sample), "opening_m": 0.01}) for sample in samples]
    assert samples_sha256("a", samples) == samples_sha256("a", other)
    assert samples_sha256("a", samples, gripper=True) != samples_sha256("a", other, gripper=True)
    assert samples_sha256("a", samples, gripper=True) != samples_sha256("a", samples)


def test_openings_have_a_scale_of_their_own_about_their_mean() -> None:
    state = torch.cat([torch.randn(50, 7), torch.linspace(0, 0.08, 50)[:, None]], dim=1)
    action = torch.cat([0.1 * torch.randn(50, 7), 0.08 * (torch.arange(50) % 2)[:, None]], dim=1)
    feature = torch.randn(50, 49, 16)
    alone = Scales.of(feature, state[:, :-1], action[:, :-1], ControllerConfig())
    both = alone.with_gripper(state, action)
    torch.testing.assert_close(both.state_mean[:-1], alone.state_mean)
    torch.testing.assert_close(both.action[:-1], alone.action.expand(7))
    normalised = both.normalised(action)
    torch.testing.assert_close(normalised[:, :-1], alone.normalised(action[:, :-1]))
    torch.testing.assert_close(normalised[:, -1].mean(), torch.tensor(0.0), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalised[:, -1].std(), torch.tensor(1.0))


def test_cloning_learns_when_to_close() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(512, 1 + 49, 16, generator=generator)
    state = torch.cat([torch.randn(512, 7, generator=generator), torch.full((512, 1), 0.08)], dim=1)
    action = torch.zeros(512, 8)
    action[:, 0] = 0.02 * state[:, 1]
    action[:, 7] = torch.where(state[:, 0] > 0, 0.0, 0.08)
    moving = torch.zeros(512, dtype=torch.bool)
    config = CloneConfig(epochs=25, learning_rate=3e-3)
    model, _ = clone(
        tokens[None], state, action, moving, moving, ControllerConfig(), config, 0, [False] * 7, True
    )
    error = held_out_error(model, tokens, state, action, moving)
    assert error["gripperRmsM"] < 0.02
    assert error["reachRmsRad"] < 0.5 * error["reachZeroRmsRad"]


def test_the_bundle_names_the_opening_in_state_and_action(
    tmp_path: Path, small_encoder: VisionTransformer
) -> None:
    for seed in range(6):
        write_episode(tmp_path / "episodes", 1 + seed, seed=seed, fingers=closing)
    save_encoder(small_encoder, tmp_path / "encoder.safetensors", "mae")
    config = Clone(
        (tmp_path / "episodes",),
        encoder=tmp_path / "encoder.safetensors",
        out=tmp_path / "bundle",
        features=tmp_path / "features",
        reading=Reading(gripper=True),
        recipe=CloneConfig(epochs=2, batch=32),
    )
    run_clone(config)
    manifest = json.loads((tmp_path / "bundle" / "policy.json").read_text())
    assert manifest["proprioception"][-1] == {"name": "gripper", "unit": "m", "source": "gripper-opening"}
    assert manifest["action"]["gripper"] == {
        "kind": "opening",
        "unit": "m",
        "minM": 0.0,
        "maxM": 0.08,
        "levelsM": [0.0, 0.08],
    }
    cases = json.loads((tmp_path / "bundle" / "goldens.json").read_text())["cases"]
    assert {(len(case["state"]), len(case["action"])) for case in cases} == {(8, 8)}
    assert "--gripper" in (tmp_path / "bundle" / "made.md").read_text()


def test_demonstrations_that_leave_the_gripper_alone_teach_nothing_of_it(
    tmp_path: Path, small_encoder: VisionTransformer
) -> None:
    for seed in range(6):
        write_episode(tmp_path / "episodes", 1 + seed, seed=seed)
    save_encoder(small_encoder, tmp_path / "encoder.safetensors", "mae")
    with pytest.raises(TrainerError) as caught:
        run_clone(
            Clone(
                (tmp_path / "episodes",),
                encoder=tmp_path / "encoder.safetensors",
                out=tmp_path / "bundle",
                features=tmp_path / "features",
                reading=Reading(gripper=True),
                recipe=CloneConfig(epochs=1, batch=32),
            )
        )
    assert caught.value.code == "GRIPPER_STILL"


def test_without_the_gripper_a_data_set_is_what_it_was(tmp_path: Path) -> None:
    write_episode(tmp_path, fingers=closing)
    episode = select_episodes(tmp_path, "reach-block").episodes[0]
    for gripper, width in ((False, 7), (True, 8)):
        reading = Reading(gripper=gripper)
        dataset = load_dataset(
            [(episode, read_samples(episode, reading, 5.0, STILL))], reading, Preprocessing(), goldens=0
        )
        assert dataset.state.shape == dataset.action.shape == (14, width)
        assert dataset.moves_gripper is gripper
