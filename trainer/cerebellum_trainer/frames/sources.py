"""Frames with their times, from what people have: videos, recorded episodes, folders of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from cerebellum_trainer.episodes import Episode, list_episodes, read_records
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.frames.sift import Rate
from cerebellum_trainer.images import Preprocessing, StoredImage
from cerebellum_trainer.records import decisions, read_edits

VIDEO = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg"}
PICTURE = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
# A video's header may count some frames too many; a file that was cut lacks more.
WHOLE_SHARE = 0.9


@dataclass(frozen=True)
class Frame:
    """`rgb`: (h, w, 3) uint8. `stamp_ns`: from the start of a video, epoch of an episode, 0 of a picture."""

    stamp_ns: int
    rgb: np.ndarray


@dataclass
class Taking:
    """Frames of one source as they come; `seen` and `remark` are known at the end."""

    name: str
    path: Path
    rate_hz: float
    camera: str | None = None
    episode: Episode | None = None
    seen: int = 0
    remark: str | None = field(default=None)

    def frames(self) -> Iterator[Frame]:
        """Raises: TrainerError VIDEO_UNREADABLE, IMAGE_UNREADABLE, IMAGE_SIZE, or what reading an episode
        raises.
        """
        if self.episode is not None:
            return self._of_episode(self.episode)
        return self._of_video() if self.path.suffix.lower() in VIDEO else self._of_picture()

    def _of_video(self) -> Iterator[Frame]:
        video = cv2.VideoCapture(str(self.path))
        try:
            expected = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
            rate = Rate(self.rate_hz)
            while video.isOpened() and video.grab():
                self.seen += 1
                stamp_ns = round(video.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
                if not rate.takes(stamp_ns):
                    continue
                done, bgr = video.retrieve()
                if done:
                    yield Frame(stamp_ns, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
        finally:
            video.release()
        if self.seen == 0:
            raise TrainerError(
                "VIDEO_UNREADABLE", f"{self.path} is no video that decodes", "Convert it, or leave it out"
            )
        if self.seen < WHOLE_SHARE * expected:
            self.remark = f"{self.name} ends after {self.seen} of {expected} frames"

    def _of_picture(self) -> Iterator[Frame]:
        self.seen = 1
        try:
            with Image.open(self.path) as opened:
                yield Frame(0, np.array(opened.convert("RGB")))
        except (UnidentifiedImageError, OSError) as error:
            raise TrainerError(
                "IMAGE_UNREADABLE", f"{self.path} is no picture that decodes", "Leave it out"
            ) from error

    def _of_episode(self, episode: Episode) -> Iterator[Frame]:
        assert self.camera is not None
        camera = episode.camera(self.camera)
        expected = Preprocessing().seen_by(camera.pose.width_px, camera.pose.height_px)
        rate = Rate(self.rate_hz)
        for message in episode.messages(camera.image_topic):
            if not episode.keeps(message.log_ns):
                continue
            self.seen += 1
            if rate.takes(message.stamp_ns):
                yield Frame(message.stamp_ns, StoredImage.of(message.values).pixels(expected))


def files_below(paths: tuple[Path, ...], suffixes: set[str], what: str) -> list[Path]:
    """Files as named, and of named folders all of these suffixes. Raises: TrainerError FRAMES_MISSING."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(f for f in path.rglob("*") if f.suffix.lower() in suffixes)
        else:
            inside = [path] if path.is_file() else []
        if not inside:
            raise TrainerError(
                "FRAMES_MISSING",
                f"{path} holds no {what} ({', '.join(sorted(suffixes))})",
                "Name another path",
            )
        found += inside
    return found


def episodes_of(folder: Path, cameras: tuple[str, ...], rate_hz: float) -> tuple[list[Taking], list[str]]:
    """Every finished episode of a set that was not dropped, failed ones too, once; and remarks on the others.

    Raises: TrainerError EPISODES_MISSING; CAMERA_MISSING if a named camera is in none of them.
    """
    edits, remarks = read_edits(folder)
    found: list[Taking] = []
    seen: set[str] = set()
    for path in list_episodes(folder):
        try:
            records = read_records(path)
        except TrainerError as error:
            remarks.append(f"{path.name}: {error.happened}")
            continue
        episode = Episode(path, records, decisions(edits, records.name, records.uuid))
        if episode.decisions.dropped or records.uuid in seen:
            remarks.append(f"{path.name} {'was dropped' if episode.decisions.dropped else 'is a copy'}")
            continue
        seen.add(records.uuid)
        names = [name for name in records.cameras if not cameras or name in cameras]
        # With the set's name: every set has its episode-000001.
        label = f"{folder.resolve().name}/{path.parent.name}"
        found += [Taking(f"{label} {name}", path, rate_hz, name, episode) for name in names]
    missing = set(cameras) - {taking.camera for taking in found}
    if missing:
        raise TrainerError(
            "CAMERA_MISSING",
            f"No episode of {folder} has a camera {', '.join(sorted(missing))}",
            "Name another one with --camera",
        )
    return found, remarks
