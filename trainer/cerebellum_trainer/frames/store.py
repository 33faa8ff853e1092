"""A data set of frames on the disk.

    frames.json        where they come from, at which rate, what was left out; the range of crops to train
    with
    index.npy          one row a frame: shard, offset, bytes, checksum, source, stamp
    shard-00000.tar    JPEGs, named SOURCE/STAMP.jpg: any tar reads it

Written beside its place and renamed when it is whole. A frame is one read at a known offset, so that a worker
can take any of millions in any order.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zlib import crc32

import numpy as np
from PIL import Image

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.mae.crops import CropRange
from cerebellum_trainer.runs import file_sha256

SCHEMA = "cerebellum/frames@1"
RECORD = "frames.json"
INDEX = "index.npy"
ROW = np.dtype(
    [
        ("shard", "<u4"),
        ("offset", "<u8"),
        ("bytes", "<u4"),
        ("crc32", "<u4"),
        ("source", "<u4"),
        ("stamp_ns", "<i8"),
    ]
)
# Between the start of a member's header and its bytes.
TAR_BLOCK = 512


@dataclass(frozen=True)
class FrameSource:
    """What frames were taken from: how many were seen, and how many kept."""

    name: str
    sha256: str
    kept: int
    seen: int


class FrameWriter:
    """Writes a new data set; as a context manager it leaves nothing behind when something is raised."""

    def __init__(self, folder: Path, shard_frames: int = 4096) -> None:
        """Raises: TrainerError RUN_EXISTS if there is something at `folder`."""
        if folder.exists():
            raise TrainerError("RUN_EXISTS", f"{folder} is there already", "Name another folder with --out")
        self.folder = folder
        self.sources: list[FrameSource] = []
        self._part = folder.with_name(f"{folder.name}.part")
        self._shard_frames = shard_frames
        self._rows: list[tuple[int, ...]] = []
        self._tar: tarfile.TarFile | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, jpeg: bytes, stamp_ns: int) -> None:
        """A frame of the source that is named next."""
        shard, place = divmod(len(self._rows), self._shard_frames)
        if place == 0:
            self._close()
            file = self._part / f"shard-{shard:05d}.tar"
            self._tar = tarfile.open(file, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 (for many calls)
        assert self._tar is not None
        member = tarfile.TarInfo(f"{len(self.sources):05d}/{stamp_ns}.jpg")
        member.size = len(jpeg)
        offset = self._tar.offset + TAR_BLOCK
        self._tar.addfile(member, io.BytesIO(jpeg))
        self._rows.append((shard, offset, len(jpeg), crc32(jpeg), len(self.sources), stamp_ns))

    def named(self, source: FrameSource) -> None:
        """The frames that were added since the last call are of this source."""
        self.sources.append(source)

    def finish(self, crop: CropRange, described: dict[str, Any]) -> None:
        """Writes index and record, and gives the data set its name."""
        self._close()
        np.save(self._part / INDEX, np.array(self._rows, ROW))
        record = {
            "schema": SCHEMA,
            "frames": len(self._rows),
            "crop": asdict(crop),
            **described,
            "sources": [asdict(source) for source in self.sources],
            "files": {f.name: file_sha256(f) for f in sorted(self._part.iterdir())},
        }
        (self._part / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        self._part.rename(self.folder)

    def _close(self) -> None:
        if self._tar is not None:
            self._tar.close()

    def __enter__(self) -> Self:
        # What an extraction that was killed has left is of no use to anybody.
        shutil.rmtree(self._part, ignore_errors=True)
        self._part.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._close()
            shutil.rmtree(self._part, ignore_errors=True)


class FrameStore:
    """Reads a data set of frames; shards are opened where they are first read."""

    def __init__(self, folder: Path) -> None:
        """Raises: TrainerError FRAMES_UNREADABLE, naming the file."""
        self.folder = folder
        try:
            self.record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            if self.record.get("schema") != SCHEMA:
                raise ValueError(f"its schema is {self.record.get('schema')}, not {SCHEMA}")
            self.crop = CropRange(**self.record["crop"]).check()
            self.rows = np.load(folder / INDEX, mmap_mode="r", allow_pickle=False)
            if self.rows.dtype != ROW or len(self.rows) != self.record["frames"]:
                raise ValueError(f"{INDEX} has {len(self.rows)} rows of {self.rows.dtype}")
            for shard, size in self._needed().items():
                there = (folder / shard).stat().st_size
                if there < size:
                    raise ValueError(f"{shard} has {there} bytes where {size} are named")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrainerError(
                "FRAMES_UNREADABLE",
                f"{folder} is no data set of frames: {error}",
                "Take the frames again with the frames command",
            ) from error
        self._files: dict[int, int] = {}

    def _needed(self) -> dict[str, int]:
        """Bytes that each shard must have at least."""
        needed: dict[str, int] = {}
        for shard in np.unique(self.rows["shard"]):
            of_shard = self.rows[self.rows["shard"] == shard]
            ends = of_shard["offset"] + of_shard["bytes"]
            needed[f"shard-{shard:05d}.tar"] = int(ends.max())
        return needed

    def __len__(self) -> int:
        return len(self.rows)

    def __getstate__(self) -> dict[str, Any]:
        """To another process: open files stay here."""
        return {**self.__dict__, "_files": {}}

    def jpeg(self, index: int) -> bytes:
        """Raises: TrainerError IMAGE_UNREADABLE, naming the frame: a decoder might not notice."""
        row = self.rows[index]
        shard = int(row["shard"])
        if shard not in self._files:
            self._files[shard] = os.open(self.folder / f"shard-{shard:05d}.tar", os.O_RDONLY)
        found = os.pread(self._files[shard], int(row["bytes"]), int(row["offset"]))
        if crc32(found) != row["crc32"]:
            raise TrainerError(
                "IMAGE_UNREADABLE", f"{self.name(index)} is not what was written", "Take the frames again"
            )
        return found

    def picture(self, index: int) -> Image.Image:
        """RGB, decoded only when it is used. Raises: as `jpeg`."""
        return Image.open(io.BytesIO(self.jpeg(index)), formats=["JPEG"])

    def name(self, index: int) -> str:
        row = self.rows[index]
        source = self.record["sources"][int(row["source"])]["name"]
        return f"{self.folder.name}: {source} at {int(row['stamp_ns']) / 1e9:.3f} s (frame {index})"

    def sha256(self) -> str:
        """Of the record, which has the hashes of all other files."""
        return file_sha256(self.folder / RECORD)
