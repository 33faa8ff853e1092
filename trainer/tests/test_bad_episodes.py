"""What is wrong with an episode is said with its name, what was found, and what to do."""

import json
from pathlib import Path

import numpy as np
import pytest
from recording import (
    CAMERA,
    IMAGE_TOPIC,
    JOINTS,
    START_NS,
    STEP_NS,
    STEP_TOPIC,
    Plan,
    compressed_image,
    edit,
    picture,
    policy_step,
    write_edits,
    write_episode,
)

from cerebellum_trainer.dataset import Dataset, read_dataset
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.samples import Actions, Reading, Stillness


def read(folder: Path, actions: Actions = "label") -> Dataset:
    return read_dataset(
        [folder], "reach-block", Reading(actions), Preprocessing(), 5.0, Stillness(0.004, 0.03)
    )


def refused(folder: Path, code: str, *words: str, actions: Actions = "label") -> None:
    with pytest.raises(TrainerError) as caught:
        read(folder, actions)
    assert caught.value.code == code
    assert all(word in str(caught.value) for word in words), str(caught.value)


def with_image(step: int, data: bytes):
    """Puts other bytes in the place of one step's image."""

    def change(topic: str, stamp_ns: int, message: bytes) -> bytes:
        is_it = topic == IMAGE_TOPIC and stamp_ns == START_NS + step * STEP_NS
        return compressed_image(stamp_ns, data) if is_it else message

    return change


def test_a_file_that_is_cut_is_named_with_how_to_mend_it(tmp_path: Path) -> None:
    write_episode(tmp_path, 1, seed=1)
    path = write_episode(tmp_path, 2, seed=2)
    path.write_bytes(path.read_bytes()[:-4000])
    refused(tmp_path, "EPISODE_UNREADABLE", "episode-000002", "episodes repair")


@pytest.mark.parametrize("actions", ["label", "sent"])
def test_an_episode_of_hardly_any_frames_is_named_with_how_many_it_has(
    tmp_path: Path, actions: Actions
) -> None:
    write_episode(tmp_path, 1, seed=1)
    write_episode(tmp_path, 2, seed=2, steps=3, holds=1)
    refused(tmp_path, "EPISODE_SHORT", "episode-000002 has 3 frames", "at least 5", actions=actions)


def test_a_trim_that_leaves_hardly_anything_is_named(tmp_path: Path) -> None:
    write_episode(tmp_path)
    to_ns = str(START_NS + 2 * STEP_NS)
    write_edits(tmp_path, edit(1, 1, "trim", fromNs=None, toNs=to_ns))
    refused(tmp_path, "EPISODE_SHORT", "episode-000001", "trim")


def test_an_image_of_another_size_is_named_with_both_sizes(tmp_path: Path) -> None:
    write_episode(tmp_path, 1, seed=1)
    write_episode(tmp_path, 2, seed=2, change=with_image(3, picture(0.5, 0.5, 90, (320, 240))))
    stamp = f"{START_NS + 3 * STEP_NS} ns"
    refused(tmp_path, "IMAGE_SIZE", "episode-000002", stamp, "320x240", "640x480")


def test_an_image_that_does_not_decode_is_named(tmp_path: Path) -> None:
    whole = picture(0.5, 0.5, 90)
    write_episode(tmp_path, change=with_image(0, whole[: len(whole) // 2]))
    refused(tmp_path, "IMAGE_UNREADABLE", "episode-000001", f"{START_NS} ns", "does not decode")


def test_cameras_of_two_sizes_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    write_episode(tmp_path, 1, seed=1)
    other = json.dumps({"wrist": {**CAMERA, "widthPx": 848}})
    write_episode(tmp_path, 2, seed=2, start={"cameras": other})
    refused(tmp_path, "CAMERA_CHANGED", "episode-000002", "width_px 848 where episode-000001 has 640")


def test_two_orders_of_joints_in_one_set_give_what_one_order_gives(tmp_path: Path) -> None:
    """Joints go by name: each episode says its own order."""
    for folder, order in (("same", JOINTS), ("mixed", JOINTS[::-1])):
        write_episode(tmp_path / folder, 1, seed=1)
        write_episode(tmp_path / folder, 2, seed=2, joint_names=order)
    # Only the ticks are written in the order of the names; steps and labels, too.
    same, mixed = read(tmp_path / "same", "sent"), read(tmp_path / "mixed", "sent")
    np.testing.assert_allclose(mixed.state, same.state, atol=1e-6)
    np.testing.assert_allclose(mixed.action, same.action, atol=1e-6)
    same, mixed = read(tmp_path / "same"), read(tmp_path / "mixed")
    np.testing.assert_allclose(mixed.action, same.action, atol=1e-6)


def test_steps_in_another_order_than_the_tick_log_are_refused(tmp_path: Path) -> None:
    plan = Plan(1, 14, 4)

    def change(topic: str, stamp_ns: int, data: bytes) -> bytes:
        if topic != STEP_TOPIC:
            return data
        image_ns = stamp_ns - 66_000_000
        step = round((image_ns - START_NS) / STEP_NS)
        phase = "hold" if plan.hold[step] else "reach"
        return policy_step(stamp_ns, image_ns, plan.position[step][::-1], plan.label[step], phase)

    write_episode(tmp_path, change=change)
    refused(tmp_path, "EPISODE_INCONSISTENT", "episode-000001", "order of joints")


def test_a_joint_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    write_episode(tmp_path, joint_names=(*JOINTS, "joint1"))
    refused(tmp_path, "EPISODE_INCOMPLETE", "episode-000001", "joint1 twice")


def test_the_motion_that_followed_lags_behind_what_was_sent(tmp_path: Path) -> None:
    write_episode(tmp_path, seed=3)
    plan, motion = Plan(3, 14, 4), read(tmp_path, "motion")
    np.testing.assert_allclose(motion.action, plan.position[1:15] - plan.position[:14], atol=1e-6)
