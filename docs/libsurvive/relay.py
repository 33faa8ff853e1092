"""Relays one Lighthouse tracker of libsurvive_ros2 to the topics that a cell's `teleop.rosSources` wants.

libsurvive_ros2 publishes poses as transforms on /tf, and Joy only when a button changes. A cell wants PoseStamped, and
Joy at least twice a second, because buttons that nobody repeats vouch for nothing. Both are sent with each new transform,
so they end with it.

    python3 relay.py LHR-XXXXXXXX
"""

from __future__ import annotations

import sys

import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Joy
from tf2_msgs.msg import TFMessage


class Relay(Node):
    def __init__(self, serial: str) -> None:
        super().__init__("survive_relay")
        self._serial = serial
        self._joy = Joy()
        self._poses = self.create_publisher(PoseStamped, "/survive/pose", qos_profile_sensor_data)
        self._buttons = self.create_publisher(Joy, "/survive/joy", qos_profile_sensor_data)
        self.create_subscription(TFMessage, "/tf", self._on_transforms, 10)
        self.create_subscription(Joy, "/libsurvive/joy", self._on_joy, 10)

    def _on_joy(self, joy: Joy) -> None:
        if joy.header.frame_id == self._serial:
            self._joy = joy

    def _on_transforms(self, message: TFMessage) -> None:
        for transform in message.transforms:
            if transform.child_frame_id != self._serial:
                continue
            pose = PoseStamped(header=transform.header)
            place, turn = transform.transform.translation, transform.transform.rotation
            pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = place.x, place.y, place.z
            pose.pose.orientation = turn
            self._joy.header.stamp = transform.header.stamp
            self._buttons.publish(self._joy)
            self._poses.publish(pose)


def main() -> None:
    rclpy.init()
    rclpy.spin(Relay(sys.argv[1]))


if __name__ == "__main__":
    main()
