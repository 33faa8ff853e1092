#!/usr/bin/env python3
"""Reads an episode with the tools that people have already and prints what they found as JSON.

usage: stockTools.py EPISODE_FOLDER

For each tool and topic: the number of messages and a digest over their times and bytes, or over their decoded values.
"""

import hashlib
import json
import struct
import sys
from pathlib import Path

import yaml
from mcap.reader import make_reader
from mcap.stream_reader import StreamReader
from mcap_ros2.decoder import DecoderFactory
from mcap_ros2.reader import read_ros2_messages
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader

SAMPLES = {"first": 0, "eighth": 7}


class Tally:
    """By topic: count, digest of (log time, bytes), and some decoded messages."""

    def __init__(self):
        self.topics, self._digests = {}, {}

    def add(self, topic, log_ns, data, decode=None):
        found = self.topics.setdefault(topic, {"count": 0, "samples": {}})
        for name, index in SAMPLES.items():
            if decode is not None and found["count"] == index:
                found["samples"][name] = decode()
        found["count"] += 1
        digest = self._digests.setdefault(topic, hashlib.sha256())
        digest.update(struct.pack("<Q", log_ns))
        digest.update(data)

    def result(self):
        for topic, digest in self._digests.items():
            self.topics[topic]["sha256"] = digest.hexdigest()
        return self.topics


def plain(value):
    """Any decoded message as JSON: bytes and arrays as lists, 64-bit numbers as texts."""
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (bytes, bytearray, memoryview)):
        return list(bytes(value))
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return value if value == value else "NaN"
    names = getattr(value, "__slots__", None) or list(vars(value))
    return {name.lstrip("_"): plain(getattr(value, name)) for name in names if name not in ("__msgtype__", "_full_text", "_type")}


def rosbags_reader(folder):
    tally = Tally()
    with Reader(folder) as reader:
        stated = {topic: info.msgcount for topic, info in reader.topics.items()}
        for connection, log_ns, data in reader.messages():
            tally.add(connection.topic, log_ns, data)
        return {"topics": tally.result(), "stated": stated, "messages": reader.message_count,
                "startNs": str(reader.start_time), "endNs": str(reader.end_time)}  # fmt: skip


def any_reader(path):
    tally = Tally()
    with AnyReader([path]) as reader:
        for connection, log_ns, data in reader.messages():
            tally.add(
                connection.topic, log_ns, data, lambda c=connection, d=data: plain(reader.deserialize(d, c.msgtype))
            )
    return {"topics": tally.result()}


def mcap_ros2(file):
    """Its two ways: the decoder of the mcap library's reader, and its own generator, which hides the bytes."""
    tally = Tally()
    with file.open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        for _, channel, message, decoded in reader.iter_decoded_messages():
            tally.add(channel.topic, message.log_time, message.data, lambda d=decoded: plain(d))
    counts = {}
    for message in read_ros2_messages(str(file)):
        counts[message.channel.topic] = counts.get(message.channel.topic, 0) + 1
    return {"topics": tally.result(), "stated": counts}


def mcap_own(file):
    """The reference library: what the summary says, everything by the index, everything in a row, checksums on."""
    indexed = Tally()
    with file.open("rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        header, summary = reader.get_header(), reader.get_summary()
        metadata = {record.name: record.metadata for record in reader.iter_metadata()}
        for _, channel, message in reader.iter_messages():
            indexed.add(channel.topic, message.log_time, message.data)
    records = {}
    with file.open("rb") as stream:
        for record in StreamReader(stream, validate_crcs=True).records:
            name = type(record).__name__
            records[name] = records.get(name, 0) + 1
    counts = {
        summary.channels[number].topic: count for number, count in summary.statistics.channel_message_counts.items()
    }
    return {
        "profile": header.profile,
        "library": header.library,
        "topics": indexed.result(),
        "summaryCounts": counts,
        "chunks": summary.statistics.chunk_count,
        "records": records,
        "metadata": metadata,
        "qos": {
            channel.topic: yaml.safe_load(channel.metadata["offered_qos_profiles"])
            for channel in summary.channels.values()
        },
        "schemas": {schema.name: schema.encoding for schema in summary.schemas.values()},
    }


def main():
    folder = Path(sys.argv[1])
    file = folder / f"{folder.name}.mcap"
    print(
        json.dumps(
            {
                "rosbagsReader": rosbags_reader(folder),
                "anyReaderOfFolder": any_reader(folder),
                "anyReaderOfFile": any_reader(file),
                "mcapRos2": mcap_ros2(file),
                "mcap": mcap_own(file),
                "metadataYaml": yaml.safe_load((folder / "metadata.yaml").read_text()),
            }
        )
    )


main()
