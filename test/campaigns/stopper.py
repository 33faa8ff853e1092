#!/usr/bin/env python3
"""An independent ROS 2 client that stops a cell on request: one word a line on standard input (`topic`, `stop_now` or
`stop`), one line of JSON in answer, with the moment just before the message left (CLOCK_MONOTONIC, nanoseconds)."""

import json
import sys
import time

import rclpy
from cerebellum_msgs.srv import Stop
from std_msgs.msg import Empty
from std_srvs.srv import Trigger

DISCOVERY_S_MAX = 15.0
ANSWER_S_MAX = 5.0


def main() -> None:
    rclpy.init()
    node = rclpy.create_node("stopper")
    publisher = node.create_publisher(Empty, "/cerebellum/stop", 1)
    now = node.create_client(Trigger, "/cerebellum/stop_now")
    with_category = node.create_client(Stop, "/cerebellum/stop")
    deadline = time.monotonic() + DISCOVERY_S_MAX
    while publisher.get_subscription_count() == 0 or not (now.service_is_ready() and with_category.service_is_ready()):
        if time.monotonic() > deadline:
            raise SystemExit("the daemon's stop topic and services were not found")
        rclpy.spin_once(node, timeout_sec=0.05)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        kind = line.strip()
        at_ns = time.monotonic_ns()
        if kind == "topic":
            publisher.publish(Empty())
        else:
            request = Trigger.Request() if kind == "stop_now" else Stop.Request(category=2, reason="stopper")
            future = (now if kind == "stop_now" else with_category).call_async(request)
            rclpy.spin_until_future_complete(node, future, timeout_sec=ANSWER_S_MAX)
        print(json.dumps({"atNs": str(at_ns)}), flush=True)
    node.destroy_node()
    rclpy.shutdown()


main()
