"""Recorded episodes: which of a set are trained on, and their messages. Layout: episodes/format.ts.

    <set>/episode-000012/episode-000012.mcap   one finished episode
    <set>/edits.jsonl                          labels, trims and drops that came later

A file that is cut or damaged is refused by name; nothing is repaired silently.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from mcap.exceptions import McapError
from mcap.reader import NonSeekingReader
from mcap.records import Channel as McapChannel
from mcap.records import Message as McapMessage
from mcap.records import Schema as McapSchema
from zstandard import ZstdError

from cerebellum_trainer.devices import DEVICES, Body, Robot, identify
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.provenance import Recording
from cerebellum_trainer.records import (
    END_RECORD,
    START_RECORD,
    Decisions,
    RecordedCamera,
    Records,
    decisions,
    incomplete,
    parse_records,
    read_edits,
)
from cerebellum_trainer.rosmsg import MessageType

NAME = re.compile(r"episode-\d{6,9}")
# What the MCAP library and its decompressors raise on bytes that are no such file. A damaged length asks for
# any memory.
UNREADABLE = (
    McapError,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    RuntimeError,
    MemoryError,
    OverflowError,
    struct.error,
    ZstdError,
)


@dataclass(frozen=True)
class Message:
    topic: str
    # When it was received, and when it was captured or made [epoch ns].
    log_ns: int
    stamp_ns: int
    values: dict[str, Any]


@dataclass(frozen=True)
class Episode:
    """A finished episode as it stands after all edits."""

    path: Path
    records: Records
    decisions: Decisions = field(default_factory=Decisions)
    # Where several sets are read, which have the same names in them: the folder as well.
    called: str = ""

    @property
    def name(self) -> str:
        """What messages to people call it."""
        return self.called or self.records.name

    @property
    def outcome(self) -> str:
        return self.decisions.outcome or self.records.outcome

    def keeps(self, log_ns: int) -> bool:
        """Is a message of this log time inside the kept part?"""
        from_ns, to_ns = self.decisions.from_ns, self.decisions.to_ns
        return (from_ns is None or log_ns >= from_ns) and (to_ns is None or log_ns <= to_ns)

    def camera(self, name: str) -> RecordedCamera:
        """Raises: TrainerError CAMERA_MISSING, with the cameras that there are."""
        found = self.records.cameras.get(name)
        if found is not None:
            return found
        there = ", ".join(self.records.cameras) or "none"
        raise TrainerError(
            "CAMERA_MISSING",
            f"{self.name} has no camera {name} (it has {there})",
            "Name another one with --camera",
        )

    def robot(self, name: str) -> Robot:
        """Raises: TrainerError ROBOTS_UNKNOWN, with the robots that there are; EPISODE_INCOMPLETE."""
        names = self.records.joint_names.get(name)
        if names is None:
            there = ", ".join(self.records.joint_names) or "none"
            raise TrainerError(
                "ROBOTS_UNKNOWN",
                f"{self.name} has no robot {name} (it has {there})",
                "Name others with --robots",
            )
        twice = sorted({joint for joint in names if names.count(joint) > 1})
        if twice:
            raise incomplete(self.name, f"names {', '.join(twice)} twice among the joints of robot {name}")
        found = identify(name, names)
        if found is None:
            known = ", ".join(device.name for device in DEVICES)
            raise incomplete(self.name, f"has joints {names} for robot {name}, not those of {known}")
        return found

    def body(self, robots: list[str]) -> Body:
        """What these robots are together. Raises: as `robot`."""
        return Body(tuple(self.robot(robot).device for robot in robots))

    def joint_order(self, robots: list[str]) -> list[int]:
        """Places of a policy's joints in the vectors of its steps, which have the robots' joints in turn."""
        order, first = [], 0
        for robot in robots:
            order += [first + place for place in self.robot(robot).order]
            first += len(self.records.joint_names[robot])
        return order

    def sha256(self) -> str:
        digest = hashlib.sha256()
        with self.path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def recording(self) -> Recording:
        """What a bundle says of the file."""
        records = self.records
        return Recording(
            records.name, records.uuid, self.sha256(), dict(records.calibration), dict(records.software)
        )

    def messages(self, *topics: str) -> Iterator[Message]:
        """Decoded messages of these topics, in the order of the file.

        Raises: TrainerError EPISODE_UNREADABLE, CDR_CORRUPT, DEFINITION_UNUSABLE, naming the file.
        """
        types: dict[int, MessageType] = {}
        with refusing(self.path), self.path.open("rb") as stream:
            for schema, channel, message in messages_in(stream, topics):
                if schema is None or schema.encoding != "ros2msg" or channel.message_encoding != "cdr":
                    raise incomplete(
                        self.name, f"has {channel.topic} in another encoding than ros2msg and cdr"
                    )
                kind = types.get(schema.id)
                if kind is None:
                    kind = types[schema.id] = MessageType(schema.name, schema.data.decode("utf-8"))
                values = kind.decode(message.data)
                yield Message(channel.topic, message.log_time, message.publish_time, values)

    def stamps(self, topic: str) -> list[int]:
        """Stamps of the messages within the kept part, in the order of the file, without decoding any."""
        with refusing(self.path), self.path.open("rb") as stream:
            return [
                message.publish_time
                for _, _, message in messages_in(stream, (topic,))
                if self.keeps(message.log_time)
            ]


@dataclass(frozen=True)
class Selection:
    """Episodes to train on, and for people what was left out and why."""

    episodes: list[Episode]
    remarks: list[str]


def select_episodes(folder: Path, task: str, include_flagged: bool = False) -> Selection:
    """Finished episodes of `task` that are labelled a success and neither dropped nor flagged.

    Raises: TrainerError EPISODES_MISSING if `folder` is no set, EPISODE_UNREADABLE, EPISODE_FORM or
        EPISODE_INCOMPLETE, naming the file.
    """
    chosen: list[Episode] = []
    seen: dict[str, str] = {}
    edits, remarks = read_edits(folder)
    for path in list_episodes(folder):
        records = read_records(path)
        episode = Episode(path, records, decisions(edits, records.name, records.uuid))
        why = why_not(episode, task, include_flagged)
        if path.parent.name != records.name:
            why = f"holds {records.name}: a copy, or renamed"
        elif records.uuid in seen:
            why = f"is a copy of {seen[records.uuid]}"
        seen.setdefault(records.uuid, records.name)
        if why is None:
            chosen.append(episode)
        else:
            remarks.append(f"{path.parent.name} {why}")
    remarks += [f"{path.name} is not finished" for path in sorted(folder.glob("episode-*.active"))]
    return Selection(chosen, remarks)


def select_from(folders: Sequence[Path], task: str, include_flagged: bool = False) -> Selection:
    """Those of all sets as one, in the order of the sets, each recording once.

    Raises: as `select_episodes`; EPISODES_MISSING if no set is named.
    """
    if not folders:
        raise TrainerError("EPISODES_MISSING", "No set of episodes is named", "Name its folder")
    chosen: list[Episode] = []
    remarks: list[str] = []
    seen: dict[str, Path] = {}
    for folder in folders:
        selection = select_episodes(folder, task, include_flagged)
        is_alone = len(folders) == 1
        remarks += [remark if is_alone else f"{folder}/{remark}" for remark in selection.remarks]
        for episode in selection.episodes:
            uuid, there = episode.records.uuid, episode.path.parent
            if uuid in seen:
                remarks.append(f"{there} is a copy of {seen[uuid]}")
                continue
            seen[uuid] = there
            chosen.append(replace(episode, called="" if is_alone else str(there)))
    return Selection(chosen, remarks)


def list_episodes(folder: Path) -> list[Path]:
    """Every finished recording in `folder`, by name. Raises: TrainerError EPISODES_MISSING if none."""
    paths = sorted(
        path for path in folder.glob("episode-*/episode-*.mcap") if NAME.fullmatch(path.parent.name)
    )
    if not paths:
        raise TrainerError(
            "EPISODES_MISSING",
            f"{folder} holds no finished episode (episode-*/episode-*.mcap)",
            "Name the folder of a set, one level above its episodes",
        )
    return paths


def why_not(episode: Episode, task: str, include_flagged: bool) -> str | None:
    records = episode.records
    if records.task != task:
        return f"is of task {records.task}"
    if episode.decisions.dropped:
        return "was dropped"
    if episode.outcome != "success":
        return f"is a {episode.outcome}" if episode.outcome == "failure" else "has no label"
    if records.flags and not include_flagged:
        return f"is flagged ({records.flags[0]})"
    return None


def read_records(path: Path) -> Records:
    with refusing(path), path.open("rb") as stream:
        metadata = NonSeekingReader(stream, validate_crcs=True).iter_metadata()
        found = {record.name: record.metadata for record in metadata}
        return parse_records(path.name, found.get(START_RECORD), found.get(END_RECORD))


def messages_in(
    stream: BinaryIO, topics: tuple[str, ...]
) -> Iterator[tuple[McapSchema | None, McapChannel, McapMessage]]:
    """From one end to the other: only so is every byte held against the file's checksums."""
    reader = NonSeekingReader(stream, validate_crcs=True)
    return reader.iter_messages(topics=topics, log_time_order=False)


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turns whatever goes wrong inside into a refusal that names the file."""
    try:
        yield
    except TrainerError as error:
        if path.stem in error.happened:
            raise
        raise TrainerError(error.code, f"{path.name} is damaged: {error.happened}", error.remedy) from error
    except UNREADABLE as error:
        raise TrainerError(
            "EPISODE_UNREADABLE",
            f"{path.name} is no whole MCAP file: {error!r}",
            "Run `./cerebellum episodes repair` on its set, or move this episode away",
        ) from error
