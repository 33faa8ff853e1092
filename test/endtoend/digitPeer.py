#!/usr/bin/env python3
"""An independent ROS 2 client of a cell with a Digit: steers it until its input ends, and prints then what it saw as JSON."""

import json
import math
import sys
import threading
import time

import rclpy
from geometry_msgs.msg import Twist
from sensor_msgs.msg import Imu, JointState
from tf2_msgs.msg import TFMessage

PERIOD_S = 0.05


def main() -> None:
    forward, left, yaw = (float(word) for word in sys.argv[1:4])
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    rclpy.init()
    node = rclpy.create_node("digit_peer")
    seen: dict[str, object] = {}
    node.create_subscription(
        JointState, "/digit/joint_states", lambda message: seen.update(joints=list(message.name)), 10
    )
    node.create_subscription(Imu, "/digit/imu", lambda message: seen.update(imu=message), 10)
    frames: set[str] = set()
    node.create_subscription(
        TFMessage,
        "/tf",
        lambda message: frames.update(
            f"{one.header.frame_id} {one.child_frame_id}" for one in message.transforms
        ),
        100,
    )
    velocity = node.create_publisher(Twist, "/digit/cmd_vel", 10)
    message = Twist()
    message.linear.x, message.linear.y, message.angular.z = forward, left, yaw
    while not ended.is_set():
        velocity.publish(message)
        until = time.monotonic() + PERIOD_S
        while time.monotonic() < until:
            rclpy.spin_once(node, timeout_sec=max(0.0, until - time.monotonic()))
    imu = seen.get("imu")
    felt = imu and imu.linear_acceleration
    print(
        json.dumps(
            {
                "joints": seen.get("joints", []),
                "frames": sorted(frames),
                "forceMPerS2": felt and math.sqrt(felt.x**2 + felt.y**2 + felt.z**2),
            }
        )
    )
    node.destroy_node()
    rclpy.shutdown()


main()
