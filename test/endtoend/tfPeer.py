#!/usr/bin/env python3
"""Prints the tree of frames that a running cell publishes: each frame's parent, and frames that have two, as JSON."""

import argparse
import json
import time

import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node("cerebellum_tf_peer")
    parents, doubled = {}, set()

    def take(message):
        for one in message.transforms:
            parent = parents.setdefault(one.child_frame_id, one.header.frame_id)
            if parent != one.header.frame_id:
                doubled.add(one.child_frame_id)

    node.create_subscription(TFMessage, "/tf", take, 100)
    node.create_subscription(TFMessage, "/tf_static", take, LATCHED)
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        rclpy.spin_once(node, timeout_sec=0.05)
    print(json.dumps({"parents": parents, "doubled": sorted(doubled)}))
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
