"""Labels seen through a camera that is not the one of the steps."""

from pathlib import Path

import numpy as np
import pytest
from recording import BESIDE, START_NS, STEP_NS, Plan, edit, picture, write_edits, write_episode

from cerebellum_trainer.dataset import read_dataset
from cerebellum_trainer.episodes import Episode, select_episodes
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing, StoredImage
from cerebellum_trainer.samples import Reading, Sample, Stillness, read_samples

RATE_HZ = 5.0
STILL = Stillness(0.004, 0.03)
PREPROCESSING = Preprocessing()
MS = 1_000_000
STEPS = 14
# 15 images a second that begin 20 ms after the first step's: the nearest is up to half of their period away.
FREE_RUNNING = tuple(range(20 * MS, (STEPS - 1) * STEP_NS + 1, 66_666_667))


def episode_of(folder: Path) -> Episode:
    return select_episodes(folder, "reach-block", include_flagged=True).episodes[0]


def samples_of(folder: Path, camera: str = "beside") -> list[Sample]:
    return read_samples(episode_of(folder), Reading(camera=camera), RATE_HZ, STILL)


def refused(folder: Path) -> TrainerError:
    with pytest.raises(TrainerError) as caught:
        samples_of(folder)
    assert "episode-000001" in str(caught.value)
    return caught.value


def test_each_label_has_the_nearest_picture_and_keeps_the_joints_of_its_own_time(tmp_path: Path) -> None:
    write_episode(tmp_path, steps=STEPS, beside_ns=FREE_RUNNING)
    plan, samples = Plan(1, STEPS, 4), samples_of(tmp_path)
    nearest = [min(FREE_RUNNING, key=lambda at: abs(at - step * STEP_NS)) for step in range(STEPS)]
    assert [sample.image_stamp_ns - START_NS for sample in samples] == nearest
    np.testing.assert_array_equal([sample.action_rad for sample in samples], plan.label)
    np.testing.assert_array_equal([sample.position_rad for sample in samples], plan.position[:STEPS])
    assert [sample.hold for sample in samples] == plan.hold.tolist()
    for place in (0, 7, 13):
        np.testing.assert_array_equal(
            samples[place].image.pixels(PREPROCESSING),
            StoredImage(picture(*(1 - plan.block[place]), 101)).pixels(PREPROCESSING),
        )


def test_pictures_of_the_same_moments_are_taken_exactly(tmp_path: Path) -> None:
    write_episode(tmp_path, steps=STEPS, beside_ns=tuple(step * STEP_NS for step in range(STEPS)))
    stamps = [[s.image_stamp_ns for s in samples_of(tmp_path, camera)] for camera in ("wrist", "beside")]
    assert stamps[0] == stamps[1]


def test_the_steps_own_camera_does_not_care_about_the_other(tmp_path: Path) -> None:
    write_episode(tmp_path, steps=STEPS, beside_ns=(0,))
    assert len(samples_of(tmp_path, "wrist")) == STEPS


def test_a_hole_of_half_a_period_is_refused_with_what_was_found(tmp_path: Path) -> None:
    def at(off_ms: int) -> tuple[int, ...]:
        return tuple(step * STEP_NS + (off_ms * MS if step == 5 else 0) for step in range(STEPS))

    write_episode(tmp_path / "a", steps=STEPS, beside_ns=at(99))
    assert len(samples_of(tmp_path / "a")) == STEPS
    write_episode(tmp_path / "b", steps=STEPS, beside_ns=at(100))
    error = refused(tmp_path / "b")
    assert error.code == "EPISODE_INCOMPLETE"
    assert (
        f"no image of camera beside within 100 ms of a step's at {START_NS + 5 * STEP_NS}" in error.happened
    )
    assert "the nearest is 100 ms away" in error.happened


def test_a_camera_that_took_no_picture_is_refused(tmp_path: Path) -> None:
    write_episode(tmp_path, steps=STEPS, beside_ns=())
    error = refused(tmp_path)
    assert (error.code, "has no image of camera beside" in error.happened) == ("EPISODE_INCOMPLETE", True)


def test_pictures_that_were_trimmed_away_are_not_seen(tmp_path: Path) -> None:
    write_episode(tmp_path, steps=STEPS, beside_ns=tuple(step * STEP_NS for step in range(STEPS)))
    write_edits(tmp_path, edit(1, 1, "trim", fromNs=str(START_NS + 4 * STEP_NS), toNs=None))
    assert [(s.image_stamp_ns - START_NS) // STEP_NS for s in samples_of(tmp_path)][:2] == [4, 5]


def test_the_data_set_knows_the_mount_in_the_base(tmp_path: Path) -> None:
    write_episode(tmp_path, steps=STEPS, beside_ns=FREE_RUNNING)
    dataset = read_dataset([tmp_path], "reach-block", Reading(camera="beside"), PREPROCESSING, RATE_HZ, STILL)
    assert dataset.camera.parent_frame == "base"
    assert list(dataset.camera.position_m) == BESIDE["mount"]["positionM"]
