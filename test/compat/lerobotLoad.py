"""Loads an exported data set with the released LeRobot, in both forms, and compares what it gives with the files.

Not part of `npm test`: LeRobot needs Python 3.12 and some 5 GB of packages. Passed with lerobot 0.6.1, torch 2.11.0,
torchcodec 0.11.1 and datasets 4.8.5 on Python 3.12.1. To run it:

    python3.12 -m venv /tmp/lerobot && /tmp/lerobot/bin/pip install "lerobot[dataset]"
    ./cerebellum episodes export lerobot SET... --rate 30 --out /tmp/export/videos --videos
    ./cerebellum episodes export lerobot SET... --rate 30 --out /tmp/export/images --images
    /tmp/lerobot/bin/python test/compat/lerobotLoad.py /tmp/export/videos /tmp/export/images

Both forms must be of the same sets: the pictures of one are compared with those of the other.
"""

import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="lerobot-load-")
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import torch  # noqa: E402
from lerobot import __version__ as lerobot_version  # noqa: E402
from lerobot.datasets.compute_stats import aggregate_stats  # noqa: E402
from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402
from lerobot.utils.feature_utils import dataset_to_policy_features  # noqa: E402

MEAN_DIFFERENCE_MAX = 6 / 255
"""Between a picture of a video (lossy, half the chroma) and the recorded one, values 0 to 1."""


def episode_rows(root: Path) -> list[dict]:
    rows = []
    for file in sorted((root / "meta" / "episodes").glob("*/*.parquet")):
        rows += pq.read_table(file).to_pylist()
    return rows


def check_items(dataset: LeRobotDataset, root: Path) -> None:
    """Every item: text of its task, exact numbers, time and place in its episode."""
    table = {}
    for file in sorted((root / "data").glob("*/*.parquet")):
        found = pq.read_table(file)
        for name in found.column_names:
            table.setdefault(name, []).extend(found[name].to_pylist() if "images" not in name else [])
    rows = episode_rows(root)
    assert len(dataset) == sum(row["length"] for row in rows) == len(table["index"])
    assert dataset.num_episodes == len(rows)
    for row in rows:
        for index in range(row["dataset_from_index"], row["dataset_to_index"]):
            item = dataset[index]
            frame = index - row["dataset_from_index"]
            assert item["task"] == row["tasks"][0], (item["task"], row["tasks"])
            assert (int(item["index"]), int(item["frame_index"])) == (index, frame)
            assert int(item["episode_index"]) == row["episode_index"]
            assert abs(float(item["timestamp"]) - frame / dataset.fps) < 1e-4
            for name in ("observation.state", "action"):
                assert item[name].dtype == torch.float32
                assert np.array_equal(item[name].numpy(), np.float32(table[name][index])), (name, index)
            for key in dataset.meta.camera_keys:
                height, width, channels = dataset.meta.features[key]["shape"]
                assert item[key].shape == (channels, height, width)
                assert 0 <= float(item[key].min()) <= float(item[key].max()) <= 1


def check_windows(root: Path, backend: str | None) -> None:
    """delta_timestamps: the values of neighbouring frames, marked where an episode has none."""
    plain = LeRobotDataset("local/export", root=root, video_backend=backend)
    camera = plain.meta.camera_keys[0]
    steps = [-1, 0, 1, 2]
    deltas = {name: [step / plain.fps for step in steps] for name in ("action", "observation.state", camera)}
    windows = LeRobotDataset("local/export", root=root, video_backend=backend, delta_timestamps=deltas)
    row = episode_rows(root)[0]
    for index in (row["dataset_from_index"], row["dataset_from_index"] + 7, row["dataset_to_index"] - 1):
        item = windows[index]
        for place, step in enumerate(steps):
            inside = row["dataset_from_index"] <= index + step < row["dataset_to_index"]
            assert bool(item["action_is_pad"][place]) == (not inside)
            nearest = min(max(index + step, row["dataset_from_index"]), row["dataset_to_index"] - 1)
            for name in deltas:
                assert torch.equal(item[name][place], plain[nearest][name]), (name, index, step)


def check_batches(dataset: LeRobotDataset) -> None:
    loader = torch.utils.data.DataLoader(dataset, batch_size=8, shuffle=True, num_workers=0)
    seen = 0
    for batch in loader:
        seen += len(batch["task"])
        assert batch["action"].shape[1:] == (dataset.meta.features["action"]["shape"][0],)
        assert torch.isfinite(batch["observation.state"]).all()
    assert seen == len(dataset)


def check_stats(dataset: LeRobotDataset, root: Path) -> None:
    """LeRobot's own aggregation of the episodes' statistics gives the whole set's."""
    episodes = []
    for row in episode_rows(root):
        stats: dict = {}
        for name, value in row.items():
            if name.startswith("stats/"):
                _, feature, statistic = name.split("/", 2)
                stats.setdefault(feature, {})[statistic] = np.array(value)
        episodes.append(stats)
    aggregated = aggregate_stats(episodes)
    for feature, stats in dataset.meta.stats.items():
        for statistic in ("min", "max", "mean", "std", "count"):
            found, expected = stats[statistic], aggregated[feature][statistic]
            assert found.shape == expected.shape, (feature, statistic, found.shape, expected.shape)
            assert np.allclose(found, expected, rtol=1e-6, atol=1e-9), (feature, statistic, found, expected)


def check_policy_features(dataset: LeRobotDataset) -> None:
    found = dataset_to_policy_features(dataset.meta.features)
    assert set(found) == {"observation.state", "action", *dataset.meta.camera_keys}, set(found)


def check_same_pictures(videos: LeRobotDataset, images: LeRobotDataset) -> float:
    worst = 0.0
    for index in range(len(videos)):
        a, b = videos[index], images[index]
        for key in videos.meta.camera_keys:
            worst = max(worst, float((a[key] - b[key]).abs().mean()))
    assert worst <= MEAN_DIFFERENCE_MAX, worst
    return worst


def video_backends() -> list[str]:
    """torchcodec needs the shared libraries of ffmpeg 4 to 8 on the machine; pyav brings its own."""
    try:
        import torchcodec  # noqa: F401
    except (OSError, RuntimeError, ImportError):
        print("torchcodec finds no ffmpeg libraries here: only pyav is checked")
        return ["pyav"]
    return ["torchcodec", "pyav"]


def main() -> None:
    videos_root, images_root = Path(sys.argv[1]), Path(sys.argv[2])
    print(f"lerobot {lerobot_version}, torch {torch.__version__}")
    backends = video_backends()
    loaded = {}
    for root in (videos_root, images_root):
        info = json.loads((root / "meta" / "info.json").read_text())
        has_videos = info["video_path"] is not None
        for backend in backends if has_videos else (None,):
            dataset = LeRobotDataset("local/export", root=root, video_backend=backend)
            check_items(dataset, root)
            check_windows(root, backend)
            check_batches(dataset)
            check_stats(dataset, root)
            check_policy_features(dataset)
            print(
                f"{root.name} ({backend or 'images'}): {len(dataset)} frames, {dataset.num_episodes} episodes, "
                f"tasks {list(dataset.meta.tasks.index)}, cameras {dataset.meta.camera_keys}"
            )
            loaded[backend or "images"] = dataset
        if has_videos:
            assert dataset.meta.video_keys == dataset.meta.camera_keys
        else:
            assert dataset.meta.image_keys == dataset.meta.camera_keys
    for backend in backends:
        worst = check_same_pictures(loaded[backend], loaded["images"])
        print(f"pictures of {backend} and of the table: mean difference at most {255 * worst:.2f} of 255")
    print("passed")


main()
