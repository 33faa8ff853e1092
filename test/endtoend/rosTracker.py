"""A tracker over ROS, as libsurvive's driver publishes one: a pose at 90 Hz and its buttons, until it is killed.

The clutch is open for a second, held for a second, open for half a second, and held from then on.
"""

import math
import time

import rclpy
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import Joy

RATE_HZ = 90


def is_held(since_s: float) -> bool:
    return 1.0 < since_s < 2.0 or since_s > 2.5


def main() -> None:
    rclpy.init()
    node = rclpy.create_node("test_tracker")
    poses = node.create_publisher(PoseStamped, "/wand/pose", 10)
    buttons = node.create_publisher(Joy, "/wand/joy", 10)
    while poses.get_subscription_count() == 0 or buttons.get_subscription_count() == 0:
        time.sleep(0.05)
    start_s = time.monotonic()
    while True:
        since_s = time.monotonic() - start_s
        stamp = node.get_clock().now().to_msg()
        joy = Joy()
        joy.header.stamp = stamp
        joy.axes = [0.0, 0.0]
        joy.buttons = [1 if is_held(since_s) else 0, 0]
        buttons.publish(joy)
        pose = PoseStamped()
        pose.header.stamp = stamp
        pose.header.frame_id = "libsurvive_world"
        pose.pose.position.x = 0.02 * math.sin(since_s)
        pose.pose.position.z = 1.0
        pose.pose.orientation.w = 1.0
        poses.publish(pose)
        time.sleep(1 / RATE_HZ)


main()
