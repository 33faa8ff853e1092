#!/usr/bin/env python3
"""A camera on ROS 2 for tests: best-effort rgb8 images of changing pixels at a steady rate, with camera_info.

Prints one JSON line when done: how many it published.
"""

import argparse
import json
import time

import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topic", default="/camera/wrist")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--rate", type=float, default=30)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node("test_camera")
    images = node.create_publisher(Image, f"{options.topic}/color/image_raw", qos_profile_sensor_data)
    infos = node.create_publisher(CameraInfo, f"{options.topic}/color/camera_info", qos_profile_sensor_data)
    while images.get_subscription_count() == 0:
        time.sleep(0.05)
    time.sleep(0.5)
    message = Image(width=options.width, height=options.height, encoding="rgb8", step=3 * options.width)
    message.header.frame_id = "wrist_color_optical_frame"
    info = CameraInfo(width=options.width, height=options.height)
    count, start = 0, time.monotonic()
    while count < options.rate * options.seconds:
        time.sleep(max(0.0, start + count / options.rate - time.monotonic()))
        message.data = bytes([count % 251]) * (message.step * message.height)
        now = time.time_ns()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(now, 10**9)
        info.header.stamp = message.header.stamp
        images.publish(message)
        infos.publish(info)
        count += 1
    time.sleep(0.5)
    print(json.dumps({"published": count, "seconds": time.monotonic() - start}))
    rclpy.shutdown()


if __name__ == "__main__":
    main()
