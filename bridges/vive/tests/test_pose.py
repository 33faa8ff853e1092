"""Matrices of OpenVR become the poses that scipy finds, and messages that the cell takes: one file, two languages."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from cerebellum_vive_bridge.pose import Hand, Pose, Sample, pose_from_matrix, pose_message

VECTORS = json.loads((Path(__file__).parents[3] / "core/teleop/vectors/openvrPoses.json").read_text())["cases"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_matrix_becomes_its_pose(vector: dict) -> None:
    pose = pose_from_matrix(vector["matrix"])
    assert pose is not None
    assert pose.position_m == pytest.approx(vector["positionM"], abs=1e-12)
    # The same rotation has two signs where w is nearly zero.
    sign = math.copysign(1.0, sum(a * b for a, b in zip(pose.quat_xyzw, vector["quatXyzw"])))
    assert [sign * value for value in pose.quat_xyzw] == pytest.approx(vector["quatXyzw"], abs=1e-12)


def changed(row: int, column: int, value: float) -> list[list[float]]:
    matrix = [[1.0, 0.0, 0.0, 0.1], [0.0, 1.0, 0.0, 1.2], [0.0, 0.0, 1.0, -0.3]]
    matrix[row][column] = value
    return matrix


@pytest.mark.parametrize(
    "matrix",
    [
        changed(0, 0, float("nan")),
        changed(1, 3, float("inf")),
        changed(2, 3, 11.0),
        changed(0, 0, -1.0),
        changed(0, 0, 1.1),
        changed(0, 1, 0.1),
        [[0.0] * 4] * 3,
    ],
    ids=["nan", "infinite", "out of range", "mirrored", "stretched", "sheared", "zero"],
)
def test_what_is_no_pose_is_none(matrix: list[list[float]]) -> None:
    assert pose_from_matrix(matrix) is None


def test_a_message_says_everything_in_the_cells_words() -> None:
    hand = Hand("right", True, Pose((0.1, 1.2, -0.3), (0.0, 0.0, 0.0, 1.0)), clutch=1.0, gripper=0.25, b=True)
    text = pose_message(Sample(12.5, (hand,)), device="vive-1", session="0123456789", seq=7)
    assert json.loads(text) == {
        "v": 1,
        "source": "vive",
        "device": "vive-1",
        "session": "0123456789",
        "seq": 7,
        "deviceTimeMs": 12.5,
        "space": "openvr-standing",
        "visibility": "visible",
        "head": None,
        "hands": [
            {
                "hand": "right",
                "mode": "controller",
                "tracked": True,
                "pose": {"positionM": [0.1, 1.2, -0.3], "quatXyzw": [0.0, 0.0, 0.0, 1.0]},
                "clutch": 1.0,
                "gripper": 0.25,
                "buttons": {"a": False, "b": True, "stick": False},
                "stick": [0.0, 0.0],
                "joints": None,
            }
        ],
    }


def test_values_out_of_range_are_brought_in_and_no_number_presses_nothing() -> None:
    hand = Hand("left", True, None, clutch=float("nan"), gripper=7.0, stick=(-2.0, float("inf")))
    said = json.loads(pose_message(Sample(0.0, (hand,)), device="d", session="0123456789", seq=0))["hands"][0]
    assert (said["clutch"], said["gripper"], said["stick"]) == (0.0, 1.0, [-1.0, 0.0])
    assert said["tracked"] is False
