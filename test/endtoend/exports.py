"""Checks exports with nothing of ours: pyarrow reads the tables, ffmpeg the pictures, mcap-ros2-support the episodes.

    exports.py lerobot FOLDER RECORDINGS | exports.py flat FOLDER RECORDINGS

Every value of every frame is computed anew from the episodes by the rules that the export states (meta/cerebellum.json,
README.json), with numpy, and compared. Prints a summary as JSON; a difference is an AssertionError.
"""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mcap_ros2.reader import read_ros2_messages

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
ACTIONS = {"sent": "sent_rad", "limited": "limited_rad", "requested": "requested_rad"}
QUANTILE_RELATIVE_ERROR = 2.1e-4
MEAN_DIFFERENCE_MAX = 8
"""Of pictures in a video, lossy and with half the chroma, from the recorded ones, of 255."""


def ns(stamp) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec


class Episode:
    """One MCAP file as arrays."""

    def __init__(self, file: Path) -> None:
        ticks, self.steps, self.images, self.decoded = [], [], {}, {}
        for message in read_ros2_messages(str(file)):
            topic, found = message.channel.topic, message.ros_msg
            if topic == "/arm/servo_tick":
                ticks.append(found)
            elif topic == "/cerebellum/policy_step":
                self.steps.append((ns(found.stamp), np.array(found.label_rad)))
            elif topic.startswith("/camera/"):
                camera = topic.split("/")[2]
                self.images.setdefault(camera, []).append((ns(found.header.stamp), found))
        self.tick_ns = [ns(tick.stamp) for tick in ticks]
        self.state_ns = [ns(tick.state_stamp) for tick in ticks]
        self.values = {
            name: np.array([getattr(tick, name) for tick in ticks])
            for name in ("position_rad", "gripper_opening_m", "gripper_command_m", *ACTIONS.values())
        }

    def state_at(self, time_ns: int) -> tuple[np.ndarray, float, float]:
        before = max(place for place, at in enumerate(self.state_ns) if at <= time_ns)
        after = min(place for place, at in enumerate(self.state_ns) if at >= time_ns)
        offsets = [float(at - time_ns) for at in self.state_ns]
        columns = [*self.values["position_rad"].T, self.values["gripper_opening_m"]]
        state = np.array([np.interp(0.0, offsets, column) for column in columns])
        return state, (time_ns - self.state_ns[before]) / 1e6, (self.state_ns[after] - time_ns) / 1e6

    def action_at(self, time_ns: int, action: str) -> tuple[np.ndarray, float]:
        place = max(place for place, at in enumerate(self.tick_ns) if at <= time_ns)
        joints = self.values[ACTIONS[action]][place]
        return np.array([*joints, self.values["gripper_command_m"][place]]), (time_ns - self.tick_ns[place]) / 1e6

    def label_at(self, time_ns: int) -> np.ndarray:
        begun = [label for at, label in self.steps if at <= time_ns]
        return begun[-1] if begun else np.full(self.values["position_rad"].shape[1], np.nan)

    def image_at(self, camera: str, time_ns: int) -> tuple[int, int]:
        """Number of the newest image that is not from the future, and its stamp."""
        images = self.images[camera]
        number = max(place for place, (at, _) in enumerate(images) if at <= time_ns)
        return number, images[number][0]

    def file(self, camera: str, number: int) -> bytes | None:
        """As recorded; None for raw images."""
        message = self.images[camera][number][1]
        return None if hasattr(message, "encoding") else bytes(message.data)

    def pixels(self, camera: str, height: int, width: int) -> np.ndarray:
        """Of all images, which show their own number."""
        if camera not in self.decoded:
            messages = [message for _, message in self.images[camera]]
            if hasattr(messages[0], "encoding"):
                assert {message.encoding for message in messages} == {"rgb8"}
                data = b"".join(bytes(message.data) for message in messages)
                self.decoded[camera] = np.frombuffer(data, np.uint8).reshape(-1, height, width, 3)
            else:
                files = [bytes(message.data) for message in messages]
                self.decoded[camera] = pixels_of_files(files, height, width)
            numbers = [shown_number(picture) for picture in self.decoded[camera]]
            assert numbers == list(range(len(messages)))
        return self.decoded[camera]


def pixels_of_files(files: list[bytes], height: int, width: int) -> np.ndarray:
    command = [FFMPEG, "-v", "error", "-f", "image2pipe", "-i", "-", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    out = subprocess.run(command, input=b"".join(files), capture_output=True, check=True).stdout
    pictures = np.frombuffer(out, np.uint8).reshape(-1, height, width, 3)
    assert len(pictures) == len(files)
    return pictures


def shown_number(pixels: np.ndarray) -> int:
    """The number that test pictures show in their first row of blocks, one bit a block."""
    block = pixels.shape[1] // 16
    middle = block // 2
    return sum(int(pixels[middle, bit * block + middle, 0] > 127) << bit for bit in range(16))


def video_frames(file: Path, height: int, width: int) -> np.ndarray:
    command = [FFMPEG, "-v", "error", "-i", str(file), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    out = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(out, np.uint8).reshape(-1, height, width, 3)


def video_times(file: Path) -> list[float]:
    """Presentation times of the frames, as the container has them."""
    command = [FFMPEG, "-v", "error", "-i", str(file), "-c", "copy", "-f", "framecrc", "-"]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    numerator, denominator = map(int, re.search(r"#tb 0: (\d+)/(\d+)", text).groups())
    lines = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    return [int(line[2]) * numerator / denominator for line in lines]


def read_numbered(folder: Path) -> tuple[pa.Table, dict[tuple[int, int], pa.Table]]:
    files = {}
    for file in sorted(folder.glob("chunk-*/file-*.parquet")):
        chunk, index = (int(text) for text in re.search(r"chunk-(\d+)/file-(\d+)", str(file)).groups())
        files[(chunk, index)] = pq.read_table(file)
    return pa.concat_tables(files.values()), files


def frame_time(episode: dict, rate_hz: float, index: int) -> int:
    return int(episode["firstFrameNs"]) + int(np.floor(index * 1e9 / rate_hz + 0.5))


def load(episode: dict, recordings: Path) -> Episode:
    file = recordings / episode["task"] / episode["name"] / f"{episode['name']}.mcap"
    data = file.read_bytes()
    assert hashlib.sha256(data).hexdigest() == episode["sha256"]
    assert len(data) == episode["bytes"]
    return Episode(file)


def check_trim(episode: dict, rate_hz: float) -> None:
    trim = episode["trim"] or {"fromNs": None, "toNs": None}
    if trim["fromNs"] is not None:
        assert frame_time(episode, rate_hz, 0) >= int(trim["fromNs"])
    if trim["toNs"] is not None:
        assert frame_time(episode, rate_hz, episode["frameCount"]) <= int(trim["toNs"])


def check_stats(found: dict, values: np.ndarray, scale: float = 1.0) -> None:
    """Rows of `values` are samples; those without a value do not count."""
    values = values[~np.isnan(values).any(1)].astype(np.float64) / scale
    expected = {"min": values.min(0), "max": values.max(0), "mean": values.mean(0), "std": values.std(0)}
    for name, value in expected.items():
        np.testing.assert_allclose(np.ravel(found[name]), value, rtol=1e-6, atol=1e-7, err_msg=name)
    largest = np.abs(values).max(0)
    for name, share in QUANTILES.items():
        error = np.abs(np.ravel(found[name]) - np.quantile(values, share, axis=0))
        assert (error <= QUANTILE_RELATIVE_ERROR * largest + 1e-9).all(), (name, found[name], error)


def check_lerobot(root: Path, recordings: Path) -> dict:
    info = json.loads((root / "meta/info.json").read_text())
    about = json.loads((root / "meta/cerebellum.json").read_text())
    assert info["codebase_version"] == "v3.0"
    rate, features = info["fps"], info["features"]
    data, data_files = read_numbered(root / "data")
    episodes, episode_files = read_numbered(root / "meta/episodes")
    tasks = pq.read_table(root / "meta/tasks.parquet")
    assert tasks.schema.pandas_metadata["index_columns"] == ["task"]
    texts = dict(zip(tasks["task_index"].to_pylist(), tasks["task"].to_pylist(), strict=True))
    assert set(data.column_names) == {name for name, feature in features.items() if feature["dtype"] != "video"}
    assert data.num_rows == info["total_frames"] == about["frameCount"]
    assert episodes.num_rows == info["total_episodes"] == len(about["episodes"])
    assert len(texts) == info["total_tasks"]
    assert info["splits"] == {"train": f"0:{info['total_episodes']}"}
    assert data["index"].to_pylist() == list(range(data.num_rows))
    for name, feature in features.items():
        if feature["dtype"] in ("float32", "int64"):
            check_type(data.schema.field(name).type, feature)
    decoded: dict[Path, np.ndarray] = {}
    numbers, sampled, rows = {}, {}, episodes.to_pylist()
    for episode, row in zip(about["episodes"], rows, strict=True):
        source = load(episode, recordings)
        check_trim(episode, rate)
        begin, end = row["dataset_from_index"], row["dataset_to_index"]
        assert row["episode_index"] == episode["episodeIndex"]
        assert row["length"] == end - begin == episode["frameCount"] > 0
        part = data.slice(begin, end - begin)
        place = (row["data/chunk_index"], row["data/file_index"])
        assert set(data_files[place]["episode_index"].to_pylist()) >= {row["episode_index"]}
        place = (row["meta/episodes/chunk_index"], row["meta/episodes/file_index"])
        assert row["episode_index"] in episode_files[place]["episode_index"].to_pylist()
        assert row["tasks"] == [texts[index] for index in set(part["task_index"].to_pylist())]
        columns = {name: np.array(part[name].to_pylist()) for name in part.column_names if ".images." not in name}
        check_numbers(columns, source, episode, about, features)
        pictures = {}
        for camera in (camera["camera"] for camera in about["cameras"]):
            key = f"observation.images.{camera}"
            height, width, _ = features[key]["shape"]
            numbers_shown = [source.image_at(camera, frame_time(episode, rate, k))[0] for k in range(row["length"])]
            exact = source.pixels(camera, height, width)[numbers_shown]
            if features[key]["dtype"] == "video":
                check_video(root, info, key, row, numbers_shown, exact, decoded)
            else:
                recorded = [source.file(camera, number) for number in numbers_shown]
                check_table_pictures(part[key].to_pylist(), recorded, exact)
            pictures[key] = exact
        for name, values in columns.items():
            values = values.reshape(len(values), -1)
            check_stats(stats_of(row, name), values)
            assert stats_of(row, name)["count"] == [int((~np.isnan(values).any(1)).sum())]
            numbers.setdefault(name, []).append(values)
        for key, images in pictures.items():
            # Short episodes of small pictures: every pixel of every one counts.
            pixels = images.reshape(-1, 3)
            check_stats(stats_of(row, key), pixels, 255.0)
            assert stats_of(row, key)["count"] == [len(images)]
            assert np.shape(stats_of(row, key)["mean"]) == (3, 1, 1)
            sampled.setdefault(key, []).append(pixels)
    whole = json.loads((root / "meta/stats.json").read_text())
    assert set(whole) == set(features)
    for name, values in numbers.items():
        check_stats(whole[name], np.concatenate(values))
    for key, pixels in sampled.items():
        check_stats(whole[key], np.concatenate(pixels), 255.0)
    return {
        "frames": data.num_rows,
        "episodes": len(rows),
        "tasks": list(texts.values()),
        "dataFiles": [list(place) for place in data_files],
        "videoFiles": sorted(str(file.relative_to(root)) for file in decoded),
    }


def check_type(found: pa.DataType, feature: dict) -> None:
    element = pa.float32() if feature["dtype"] == "float32" else pa.int64()
    if feature["shape"] == [1]:
        assert found == element, found
    else:
        assert pa.types.is_list(found) and found.value_type == element, found


def stats_of(row: dict, feature: str) -> dict:
    prefix = f"stats/{feature}/"
    return {name[len(prefix) :]: value for name, value in row.items() if name.startswith(prefix)}


def check_numbers(columns: dict, source: Episode, episode: dict, about: dict, features: dict) -> None:
    rate = about["rateHz"]
    assert features["observation.state"]["names"] == [column["name"] for column in about["columns"]["state"]]
    for index in range(episode["frameCount"]):
        time_ns, next_ns = (frame_time(episode, rate, k) for k in (index, index + 1))
        assert columns["frame_index"][index] == index
        assert columns["episode_index"][index] == episode["episodeIndex"]
        assert abs(columns["timestamp"][index] - index / rate) < 1e-6
        state, before, after = source.state_at(time_ns)
        np.testing.assert_allclose(columns["observation.state"][index], state, rtol=0, atol=1e-6)
        np.testing.assert_allclose(columns["resampling.state_distance_ms"][index], [before, after], atol=1e-4)
        action, age = source.action_at(next_ns, about["action"])
        assert np.array_equal(np.float32(columns["action"][index]), np.float32(action)), index
        assert abs(columns["resampling.action_age_ms"][index] - age) < 1e-4
        if "label" in features:
            np.testing.assert_array_equal(np.float32(columns["label"][index]), np.float32(source.label_at(time_ns)))
        ages = np.ravel(columns["resampling.camera_age_ms"][index])
        for camera, found in zip(features["resampling.camera_age_ms"]["names"], ages, strict=True):
            _, captured_ns = source.image_at(camera, time_ns)
            assert abs(found - (time_ns - captured_ns) / 1e6) < 1e-4


def check_video(root, info, key, row, numbers, exact, decoded) -> None:
    place = {name: row[f"videos/{key}/{name}"] for name in ("chunk_index", "file_index")}
    file = root / info["video_path"].format(video_key=key, **place)
    if file not in decoded:
        decoded[file] = video_frames(file, *exact.shape[1:3])
        times = video_times(file)
        assert len(times) == len(decoded[file])
        np.testing.assert_allclose(times, np.arange(len(times)) / info["fps"], atol=1e-9)
    begin = row[f"videos/{key}/from_timestamp"] * info["fps"]
    end = row[f"videos/{key}/to_timestamp"] * info["fps"]
    assert abs(begin - round(begin)) < 1e-6 and round(end) - round(begin) == row["length"]
    pictures = decoded[file][round(begin) : round(end)]
    assert [shown_number(picture) for picture in pictures] == numbers, file
    assert np.abs(pictures.astype(int) - exact.astype(int)).mean() < MEAN_DIFFERENCE_MAX


def check_table_pictures(cells: list, recorded: list[bytes | None], exact: np.ndarray) -> None:
    for index, (cell, file) in enumerate(zip(cells, recorded, strict=True)):
        assert cell["path"].startswith(f"frame-{index:06d}.")
        assert file is None or cell["bytes"] == file
    assert np.array_equal(pixels_of_files([cell["bytes"] for cell in cells], *exact.shape[1:3]), exact)


def check_flat(root: Path, recordings: Path) -> dict:
    about = json.loads((root / "README.json").read_text())
    rate, frames = about["rateHz"], 0
    for task in sorted({episode["task"] for episode in about["episodes"]}):
        table = pq.read_table(root / f"{task}.parquet")
        assert set(table.column_names) == set(about["tableColumns"])
        rows = table.to_pylist()
        for episode in (episode for episode in about["episodes"] if episode["task"] == task):
            source = load(episode, recordings)
            check_trim(episode, rate)
            part = [row for row in rows if row["episode"] == episode["name"]]
            assert [row["frame_index"] for row in part] == list(range(episode["frameCount"]))
            for row in part:
                check_flat_row(row, source, episode, about, root)
            check_flat_pictures(part, source, episode, about, root)
            frames += len(part)
    on_disk = sum(1 for file in root.glob("frames/*/*/*/*") if file.is_file())
    assert on_disk == frames * len(about["cameras"])
    assert frames == about["frameCount"]
    return {"frames": frames, "episodes": len(about["episodes"]), "pictures": on_disk}


def check_flat_row(row: dict, source: Episode, episode: dict, about: dict, root: Path) -> None:
    index, rate = row["frame_index"], about["rateHz"]
    time_ns, next_ns = (frame_time(episode, rate, k) for k in (index, index + 1))
    assert row["task"] == episode["task"] and row["time_ns"] == time_ns
    assert row["timestamp_s"] == index / rate
    state, before, after = source.state_at(time_ns)
    action, age = source.action_at(next_ns, about["action"])
    for place, column in enumerate(about["columns"]["state"]):
        name = f"{column['name']}_{column['unit']}"
        assert abs(row[f"state_{name}"] - state[place]) < 1e-12
        assert row[f"action_{name}"] == action[place]
    assert abs(row["state_before_ms"] - before) < 1e-9 and abs(row["state_after_ms"] - after) < 1e-9
    assert abs(row["action_age_ms"] - age) < 1e-9
    for camera in about["cameras"]:
        name = camera["camera"]
        number, captured_ns = source.image_at(name, time_ns)
        assert row[f"image_{name}_captured_ns"] == captured_ns
        assert abs(row[f"image_{name}_age_ms"] - (time_ns - captured_ns) / 1e6) < 1e-9
        recorded = source.file(name, number)
        if recorded is not None:
            assert (root / row[f"image_{name}"]).read_bytes() == recorded


def check_flat_pictures(part: list[dict], source: Episode, episode: dict, about: dict, root: Path) -> None:
    for camera in about["cameras"]:
        name, size = camera["camera"], (camera["heightPx"], camera["widthPx"])
        times = [frame_time(episode, about["rateHz"], index) for index in range(len(part))]
        numbers = [source.image_at(name, time_ns)[0] for time_ns in times]
        files = [(root / row[f"image_{name}"]).read_bytes() for row in part]
        assert np.array_equal(pixels_of_files(files, *size), source.pixels(name, *size)[numbers])


check = {"lerobot": check_lerobot, "flat": check_flat}[sys.argv[1]]
print(json.dumps(check(Path(sys.argv[2]), Path(sys.argv[3]))))
