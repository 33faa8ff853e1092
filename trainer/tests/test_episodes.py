from pathlib import Path

import numpy as np
import pytest
from recording import CAMERA, START_NS, write_episode

from cerebellum_trainer.dataset import load_dataset
from cerebellum_trainer.episodes import dataset_sha256, read_episode, read_episodes
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing, decode_image, preprocess


def refused(path: Path) -> TrainerError:
    with pytest.raises(TrainerError) as caught:
        read_episode(path)
    assert path.name in str(caught.value)
    return caught.value


def test_steps_carry_their_own_image_and_vectors(tmp_path: Path) -> None:
    write_episode(tmp_path / "a.mcap", seed=1)
    episode = read_episode(tmp_path / "a.mcap")
    assert len(episode.steps) == 14
    assert [step.phase for step in episode.steps].count("hold") == 4
    assert episode.steps[2].image_stamp_ns == START_NS + 400_000_000
    np.testing.assert_allclose(episode.steps[2].executed_rad - episode.steps[2].action_rad, 0.01)
    assert episode.camera.fov_y_deg == 42
    assert episode.camera.position_m == tuple(CAMERA["positionM"])


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"leave_out_image": 3}, "EPISODE_INCOMPLETE", "lacks the image"),
        ({"position_offset_rad": 0.3}, "EPISODE_INCONSISTENT", "0.300 rad off"),
        ({"metadata": {"cameraMount": "{}"}}, "EPISODE_INCOMPLETE", "cameraMount"),
        ({"step_text": "{}"}, "EPISODE_INCOMPLETE", "malformed step"),
        ({"steps": 0, "holds": 0}, "EPISODE_INCOMPLETE", "no message on"),
    ],
)
def test_bad_data_is_refused_by_name(tmp_path: Path, changes: dict, code: str, words: str) -> None:
    write_episode(tmp_path / "bad.mcap", seed=1, **changes)
    error = refused(tmp_path / "bad.mcap")
    assert error.code == code
    assert words in error.happened


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.mcap"
    write_episode(path, seed=1)
    path.write_bytes(path.read_bytes()[:5000])
    assert refused(path).code in ("EPISODE_UNREADABLE", "EPISODE_INCOMPLETE")


def test_only_successes_of_the_task_are_used(tmp_path: Path) -> None:
    write_episode(tmp_path / "a.mcap", seed=1)
    write_episode(tmp_path / "b.mcap", seed=2, metadata={"outcome": "failure"})
    write_episode(tmp_path / "c.mcap", seed=3, metadata={"task": "another"})
    write_episode(tmp_path / "d.mcap", seed=4)
    assert [episode.path.name for episode in read_episodes(tmp_path, "reach-block")] == ["a.mcap", "d.mcap"]
    with pytest.raises(TrainerError, match="No successful episode"):
        load_dataset(read_episodes(tmp_path, "nothing"), Preprocessing())


def test_dataset_aligns_images_with_labels(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_episode(tmp_path / f"{seed}.mcap", seed=seed)
    preprocessing = Preprocessing()
    data = load_dataset(read_episodes(tmp_path, "reach-block"), preprocessing)
    assert data.images.shape == (28, 3, 112, 112)
    assert data.episodes == 2
    assert int(data.hold.sum()) == 8
    step = read_episode(tmp_path / "2.mcap").steps[5]
    np.testing.assert_allclose(data.action[19], step.action_rad, atol=1e-7)
    np.testing.assert_allclose(
        data.images[19], preprocess(decode_image(step.image, preprocessing), preprocessing)
    )
    executed = load_dataset(read_episodes(tmp_path, "reach-block"), preprocessing, labels="executed")
    np.testing.assert_allclose(executed.action - data.action, 0.01, atol=1e-6)


def test_mixed_camera_mounts_are_refused(tmp_path: Path) -> None:
    write_episode(tmp_path / "1.mcap", seed=1)
    other = '{"fovYDeg": 69, "positionM": [0, 0, 0], "quatXyzw": [0, 0, 0, 1]}'
    write_episode(tmp_path / "2.mcap", seed=2, metadata={"cameraMount": other})
    with pytest.raises(TrainerError) as caught:
        load_dataset(read_episodes(tmp_path, "reach-block"), Preprocessing())
    assert caught.value.code == "CAMERA_CHANGED"


def test_dataset_hash_ignores_order_and_sees_content() -> None:
    assert dataset_sha256([("a", "1"), ("b", "2")]) == dataset_sha256([("b", "2"), ("a", "1")])
    assert dataset_sha256([("a", "1"), ("b", "2")]) != dataset_sha256([("a", "1"), ("b", "3")])
