#!/usr/bin/env python3
"""Writes bags as other recorders do, from known values, for the tests of `episodes import`.

usage: writeBags.py FOLDER SPEC.json

SPEC is a list of {"name", "storage": "mcap" | "sqlite3", "compression": "none" | "file" | "message" | "storage" |
"lz4" (chunks by the mcap library),
"version": 8 | 9, "messages": number}. Message i of every topic was received at RECEIVED_NS + 10 ms * i and, where it
has a stamp, captured 3 ms before.
"""

import json
import sys
from pathlib import Path

import mcap.writer
import numpy as np
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

RECEIVED_NS = 1_700_000_000_000_000_000
PERIOD_NS = 10_000_000
DELAY_NS = 3_000_000
JOINTS = ["shoulder", "elbow", "wrist"]
WIDTH, HEIGHT, FOCAL = 32, 24, 40.0
FOREVER = QosTime(9223372036, 854775807)
QOS = [
    Qos(QosHistory.KEEP_LAST, 7, QosReliability.BEST_EFFORT, QosDurability.VOLATILE, FOREVER, FOREVER,
        QosLiveliness.AUTOMATIC, FOREVER, False)
]  # fmt: skip


def messages(store, index):
    """Topic, type and message number `index` of each topic."""
    types = store.types
    stamp_ns = RECEIVED_NS + PERIOD_NS * index - DELAY_NS
    header = types["std_msgs/msg/Header"](
        stamp=types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9), frame_id="f"
    )
    yield "/joint_states", types["sensor_msgs/msg/JointState"](
        header=header,
        name=JOINTS,
        position=np.array([index, -index, 0.5 * index]),
        velocity=np.zeros(0),
        effort=np.zeros(0),
    )
    pixels = np.full(WIDTH * HEIGHT * 3, index % 256, dtype=np.uint8)
    yield "/cam/color/image_raw", types["sensor_msgs/msg/Image"](
        header=header, height=HEIGHT, width=WIDTH, encoding="rgb8", is_bigendian=0, step=3 * WIDTH, data=pixels
    )
    roi = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    k = np.array([FOCAL, 0, WIDTH / 2, 0, FOCAL, HEIGHT / 2, 0, 0, 1])
    yield "/cam/color/camera_info", types["sensor_msgs/msg/CameraInfo"](
        header, HEIGHT, WIDTH, "plumb_bob", np.zeros(5), k, np.eye(3).reshape(-1), np.zeros(12), 0, 0, roi
    )
    yield "/chatter", types["std_msgs/msg/String"](data=f"number {index}")


def write(folder, spec, store):
    storage = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}[spec["storage"]]
    writer = Writer(folder / spec["name"], version=spec.get("version", 9), storage_plugin=storage)
    writer.set_compression(CompressionMode[spec.get("compression", "none").upper()], CompressionFormat.ZSTD)
    writer.set_custom_data("operator", "test")
    with writer:
        connections = {}
        for index in range(spec["messages"]):
            for topic, message in messages(store, index):
                kind = message.__msgtype__
                if topic not in connections:
                    connections[topic] = writer.add_connection(
                        topic, kind, typestore=store, offered_qos_profiles=QOS
                    )
                data = store.serialize_cdr(message, kind)
                writer.write(connections[topic], RECEIVED_NS + PERIOD_NS * index, data)


def write_lz4(folder, spec, store):
    """Chunks as Foxglove's own recorders pack them; rosbags writes no lz4."""
    bag = folder / spec["name"]
    bag.mkdir()
    with (bag / f"{spec['name']}.mcap").open("wb") as stream:
        writer = mcap.writer.Writer(stream, chunk_size=4096, compression=mcap.writer.CompressionType.LZ4)
        writer.start(profile="ros2", library="test")
        channels = {}
        for index in range(spec["messages"]):
            for topic, message in messages(store, index):
                kind = message.__msgtype__
                if topic not in channels:
                    definition = store.generate_msgdef(kind, ros_version=2)[0].encode()
                    schema = writer.register_schema(name=kind, encoding="ros2msg", data=definition)
                    channels[topic] = writer.register_channel(topic=topic, message_encoding="cdr", schema_id=schema)
                received_ns = RECEIVED_NS + PERIOD_NS * index
                writer.add_message(
                    channels[topic], log_time=received_ns, publish_time=received_ns, data=store.serialize_cdr(message, kind)
                )
        writer.finish()


def main():
    folder = Path(sys.argv[1])
    store = get_typestore(Stores.ROS2_KILTED)
    for spec in json.loads(Path(sys.argv[2]).read_text()):
        (write_lz4 if spec.get("compression") == "lz4" else write)(folder, spec, store)


main()
