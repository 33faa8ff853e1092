#!/usr/bin/env python3
"""An independent ROS 2 client that records an episode of a running cell: starts and stops it by service, publishes a
topic of its own meanwhile, watches the recorder's status, and prints what it was told as JSON.

Run it with the environment of launch/setup/environment.sh and the cell's ROS_DOMAIN_ID.
"""

import argparse
import json
import sys
import time

import rclpy
from cerebellum_msgs.msg import RecorderStatus
from cerebellum_msgs.srv import LabelEpisode, StartRecording, StopRecording
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from std_srvs.srv import Trigger

LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True)
    parser.add_argument("--topic", required=True, help="std_msgs/String topic that the cell records")
    parser.add_argument("--messages", type=int, default=20)
    options = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node("recorder_peer")
    statuses = []
    node.create_subscription(RecorderStatus, "/cerebellum/recorder_status", statuses.append, LATCHED)
    publisher = node.create_publisher(String, options.topic, QoSProfile(depth=100))

    def spin(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            rclpy.spin_once(node, timeout_sec=0.02)

    def call(kind, name, **fields):
        client = node.create_client(kind, f"/cerebellum/{name}")
        if not client.wait_for_service(timeout_sec=15):
            return {"success": False, "message": f"no service {name}"}
        future = client.call_async(kind.Request(**fields))
        rclpy.spin_until_future_complete(node, future, timeout_sec=60)
        answer = future.result()
        return {slot.lstrip("_"): getattr(answer, slot) for slot in answer.get_fields_and_field_types()}

    answers = {}
    answers["stopNothing"] = call(StopRecording, "stop_recording", outcome="", note="")
    answers["pathTrick"] = call(StartRecording, "start_recording", task="../../outside", note="")
    answers["start"] = call(StartRecording, "start_recording", task=options.task, note="by a peer")
    answers["startAgain"] = call(StartRecording, "start_recording", task=options.task, note="")
    deadline = time.monotonic() + 10
    while publisher.get_subscription_count() == 0 and time.monotonic() < deadline:
        spin(0.1)
    for number in range(options.messages):
        publisher.publish(String(data=f"message {number}"))
        spin(0.1)
    answers["oddOutcome"] = call(StopRecording, "stop_recording", outcome="perfect", note="")
    answers["stop"] = call(StopRecording, "stop_recording", outcome="success", note="went well")
    answers["label"] = call(LabelEpisode, "label_episode", episode="", outcome="failure", note="seen again")
    answers["startOther"] = call(StartRecording, "start_recording", task=options.task, note="")
    answers["discard"] = call(Trigger, "discard_recording")
    spin(1)
    seen = [{"state": one.state, "episode": one.episode, "messages": one.messages} for one in statuses]
    print(json.dumps({"answers": answers, "statuses": seen}))
    node.destroy_node()
    rclpy.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
