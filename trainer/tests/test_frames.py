"""Frames of videos, episodes and pictures: at the stated rate, nothing twice, bad sources by name."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cerebellum_trainer.commands.frames import Frames, run_frames
from cerebellum_trainer.episodes import Episode, read_records
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.frames.extract import Sifting
from cerebellum_trainer.frames.sift import Change, Rate
from cerebellum_trainer.frames.store import FrameStore
from cerebellum_trainer.images import Preprocessing, decode_image
from cerebellum_trainer.mae.crops import CropRange

SET = Path(__file__).parents[2] / "test" / "corpus" / "episodes" / "reach-block"
FPS = 30
RNG = np.random.default_rng(0)
BACKGROUND = RNG.integers(40, 200, (12, 16, 3)).astype(np.uint8)


def picture(x: int, size: tuple[int, int] = (320, 240)) -> np.ndarray:
    """A table with a white block at x, of (h, w, 3)."""
    image = cv2.resize(BACKGROUND, size, interpolation=cv2.INTER_CUBIC)
    image[100:130, x : x + 30] = 255
    return image


def video(path: Path, seconds: float = 3.0, codec: str = "mp4v") -> Path:
    """The block goes right for the first second, then stands, then goes on for the last one."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), FPS, (320, 240))
    for number in range(round(seconds * FPS)):
        time_s = number / FPS
        way_s = min(time_s, 1.0) + max(0.0, time_s - 2.0)
        writer.write(picture(10 + round(100 * way_s)))
    writer.release()
    return path


def test_a_video_is_taken_at_the_rate_and_standing_still_only_once(tmp_path: Path) -> None:
    folder = run_frames(
        Frames(tmp_path / "all", videos=(video(tmp_path / "v.mp4"),), rate_hz=5, sifting=Sifting(0))
    )
    stamps_s = FrameStore(folder).rows["stamp_ns"] / 1e9
    np.testing.assert_allclose(stamps_s, np.arange(15) / 5, atol=1.01 / FPS)
    folder = run_frames(Frames(tmp_path / "moved", videos=(tmp_path / "v.mp4",), rate_hz=5))
    store = FrameStore(folder)
    moved_s = store.rows["stamp_ns"] / 1e9
    assert not np.any((moved_s > 1.1) & (moved_s < 2.1))
    assert len(store) == 10
    assert store.record["seen"] == 90
    assert store.record["sources"][0]["kept"] == 10
    # The second frame kept shows the block where it was at its time.
    pixels = np.asarray(store.picture(1).convert("RGB"))
    columns = np.flatnonzero(pixels[105:125].min(axis=(0, 2)) > 235)
    assert columns.mean() == pytest.approx(10 + 100 * moved_s[1] + 14.5, abs=3)


def test_one_frame_a_period_whatever_the_cameras_rate() -> None:
    rate = Rate(2.0)
    stamps_ms = [1000, 1033, 1466, 1501, 1502, 2900, 3001, 3499, 3500]
    assert [ms for ms in stamps_ms if rate.takes(ms * 1_000_000)] == [1000, 1501, 2900, 3001, 3500]


def test_a_small_thing_that_moves_is_a_change_and_noise_is_none() -> None:
    change = Change(4.0)
    still = picture(100).astype(np.float32)
    assert change.is_new(still.astype(np.uint8))
    noisy = (still + RNG.normal(0, 5, still.shape)).clip(0, 255).astype(np.uint8)
    assert not change.is_new(noisy)
    assert change.is_new(picture(106))
    everything = Change(0)
    assert all(everything.is_new(still.astype(np.uint8)) for _ in range(2))


def test_episodes_give_the_pictures_that_were_recorded(tmp_path: Path) -> None:
    path = SET / "episode-000002" / "episode-000002.mcap"
    episode = Episode(path, read_records(path))
    camera = episode.camera("wrist")
    recorded = {m.stamp_ns: m.values["data"] for m in episode.messages(camera.image_topic)}
    folder = run_frames(Frames(tmp_path / "f", episodes=(SET,), rate_hz=1, sifting=Sifting(size_px=480)))
    store = FrameStore(folder)
    assert [source["name"] for source in store.record["sources"]] == [
        "reach-block/episode-000001 wrist",
        "reach-block/episode-000002 wrist",
    ]
    rows = np.flatnonzero(store.rows["source"] == 1)
    stamps = store.rows["stamp_ns"][rows]
    assert np.all(np.diff((stamps - stamps[0]) // 10**9) > 0)
    assert 7 <= len(rows) <= 10
    for row in rows[:2]:
        original = decode_image(recorded[int(store.rows["stamp_ns"][row])], Preprocessing())
        difference = np.asarray(store.picture(int(row)).convert("RGB")).astype(int) - original
        assert np.abs(difference).mean() < 3
    with pytest.raises(TrainerError, match="no_such"):
        run_frames(Frames(tmp_path / "g", episodes=(SET,), camera=("no_such",)))


def test_bad_sources_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    whole = video(folder / "b.avi", codec="MJPG").read_bytes()
    (folder / "g.avi").write_bytes(whole[: len(whole) // 2])
    (folder / "c.mp4").write_text("no video")
    Image.fromarray(picture(50)).save(folder / "d.png")
    Image.fromarray(picture(50)).save(folder / "e.png")
    (folder / "f.jpg").write_bytes(b"\xff\xd8 torn")
    out = run_frames(Frames(tmp_path / "out", videos=(folder,), pictures=(folder,), rate_hz=5))
    record = FrameStore(out).record
    kept = {source["name"]: source["kept"] for source in record["sources"]}
    assert kept["b.avi"] == 10
    assert (kept["c.mp4"], kept["d.png"], kept["e.png"], kept["f.jpg"]) == (0, 1, 0, 0)
    # What is left of the cut file was in the whole one.
    assert kept["g.avi"] == 0
    told = "\n".join(record["leftOut"])
    for name in ("g.avi", "c.mp4", "f.jpg"):
        assert name in told


def test_nothing_is_overwritten_or_left_behind(tmp_path: Path) -> None:
    (tmp_path / "c.mp4").write_text("no video")
    with pytest.raises(TrainerError) as caught:
        run_frames(Frames(tmp_path / "out", videos=(tmp_path / "c.mp4",)))
    assert caught.value.code == "FRAMES_MISSING"
    assert sorted(f.name for f in tmp_path.iterdir()) == ["c.mp4"]
    Image.fromarray(picture(50)).save(tmp_path / "d.png")
    (tmp_path / "out.part").mkdir()
    run_frames(Frames(tmp_path / "out", pictures=(tmp_path / "d.png",)))
    assert not (tmp_path / "out.part").exists()
    with pytest.raises(TrainerError) as caught:
        run_frames(Frames(tmp_path / "out", pictures=(tmp_path / "d.png",)))
    assert caught.value.code == "RUN_EXISTS"
    with pytest.raises(TrainerError) as caught:
        run_frames(Frames(tmp_path / "none", pictures=(tmp_path / "nowhere",)))
    assert caught.value.code == "FRAMES_MISSING"


def small_set(folder: Path, count: int = 5) -> Path:
    for number in range(count):
        Image.fromarray(picture(40 * number)).save(folder / f"{number}.png")
    out = folder / "set"
    return run_frames(Frames(out, pictures=(folder,), crop=CropRange(0.3, 0.9, flip=False)))


def test_shards_are_plain_tars_and_the_range_of_crops_goes_along(tmp_path: Path) -> None:
    out = small_set(tmp_path)
    store = FrameStore(out)
    assert store.crop == CropRange(0.3, 0.9, flip=False)
    with tarfile.open(out / "shard-00000.tar") as tar:
        members = tar.getmembers()
        assert [m.name for m in members] == [f"{n:05d}/0.jpg" for n in range(5)]
        for index, member in enumerate(members):
            opened = tar.extractfile(member)
            assert opened is not None
            assert opened.read() == store.jpeg(index)


def test_a_damaged_set_is_refused(tmp_path: Path) -> None:
    out = small_set(tmp_path)
    shard = out / "shard-00000.tar"
    whole = shard.read_bytes()
    offset = int(FrameStore(out).rows["offset"][3])
    shard.write_bytes(whole[:offset] + bytes(100) + whole[offset + 100 :])
    with pytest.raises(TrainerError, match=r"3\.png") as caught:
        FrameStore(out).picture(3)
    assert caught.value.code == "IMAGE_UNREADABLE"
    record = json.loads((out / "frames.json").read_text())
    for break_it in (
        lambda: shard.write_bytes(whole[:offset]),
        lambda: (out / "frames.json").write_text(json.dumps({**record, "schema": "other@1"})),
        lambda: (out / "index.npy").write_bytes(b"x"),
    ):
        break_it()
        with pytest.raises(TrainerError) as caught:
            FrameStore(out)
        assert caught.value.code == "FRAMES_UNREADABLE"
