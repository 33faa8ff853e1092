#!/usr/bin/env python3
"""An independent ROS 2 client of a running cell: looks at everything a cell publishes, moves a robot a little by a
joint trajectory, checks that wrong ones are refused, and prints what it found as JSON.

Exits 0 when every check holds. Needs nothing but rclpy and the standard messages; run it with the environment of
launch/setup/environment.sh and the cell's ROS_DOMAIN_ID.
"""

import argparse
import json
import math
import statistics
import sys
import time
import xml.etree.ElementTree as xml

import rclpy
from cerebellum_msgs.srv import Enable, StopPolicy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseArray
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import ListParameters, SetParameters
from rcl_interfaces.msg import Parameter, ParameterValue
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

JOINTS = {
    "xarm7": [f"joint{number}" for number in range(1, 8)],
    "allegro": [f"joint{number}" for number in range(16)],
}
LINKS = {
    "xarm7": {f"link{number}" for number in range(1, 8)},
    "allegro": {f"link_{number}" for number in range(16)},
}
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
# A hand's PD leaves a sag.
GOAL_TOLERANCE_RAD = {"xarm7": 0.02, "allegro": 0.05}
STILL_RAD = 0.005


class Topic:
    """Counts the messages of one topic and keeps the newest, with the age of each stamp on receipt."""

    def __init__(self, node, kind, name, qos=10, stamp=None):
        self.name, self.count, self.newest = name, 0, None
        self.ages_ms, self.first_s, self.last_s = [], None, None
        self._stamp = stamp
        node.create_subscription(kind, name, self._receive, qos)

    def _receive(self, message):
        now = time.time()
        self.count += 1
        self.newest = message
        self.first_s = self.first_s or now
        self.last_s = now
        if self._stamp is not None:
            stamp = self._stamp(message)
            self.ages_ms.append((now - stamp.sec - stamp.nanosec * 1e-9) * 1000)

    def summary(self):
        span = (self.last_s or 0) - (self.first_s or 0)
        rate = (self.count - 1) / span if span > 0 else 0.0
        found = {"topic": self.name, "count": self.count, "rateHz": round(rate, 1)}
        if self.ages_ms:
            ages = sorted(self.ages_ms)
            found["ageP50Ms"] = round(statistics.median(ages), 2)
            found["ageP99Ms"] = round(ages[min(len(ages) - 1, int(0.99 * len(ages)))], 2)
        return found


class Peer:
    def __init__(self, options):
        self.options = options
        self.node = rclpy.create_node("cerebellum_peer")
        header = lambda message: message.header.stamp
        robot, camera = options.robot, options.camera_topic
        self.joints = JOINTS[options.device]
        self.links = {options.frame_prefix + link for link in LINKS[options.device]}
        self.goal_tolerance_rad = GOAL_TOLERANCE_RAD[options.device]
        self.joint_states = Topic(self.node, JointState, f"/{robot}/joint_states", stamp=header)
        self.joint_command = Topic(self.node, JointState, f"/{robot}/joint_command", stamp=header)
        self.description = Topic(self.node, String, f"/{robot}/robot_description", LATCHED)
        self.tf = Topic(self.node, TFMessage, "/tf", 100)
        self.tf_static = Topic(self.node, TFMessage, "/tf_static", LATCHED)
        self.diagnostics = Topic(self.node, DiagnosticArray, "/diagnostics", stamp=header)
        self.fingertips = None
        if options.device == "allegro":
            self.fingertips = Topic(self.node, PoseArray, f"/{robot}/fingertips", stamp=header)
        self.images = self.camera_info = None
        if camera:
            self.images = Topic(
                self.node, Image, f"{camera}/color/image_raw", qos_profile_sensor_data, stamp=header
            )
            self.camera_info = Topic(
                self.node, CameraInfo, f"{camera}/color/camera_info", qos_profile_sensor_data
            )
        self.trajectory = self.node.create_publisher(JointTrajectory, f"/{robot}/joint_trajectory", 10)
        self.checks = {}

    def check(self, name, holds, found=None):
        self.checks[name] = {"holds": bool(holds), "found": found}

    def spin(self, seconds, until=lambda: False):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            rclpy.spin_once(self.node, timeout_sec=0.02)
        return until()

    def call(self, kind, name, request, seconds=10):
        client = self.node.create_client(kind, name)
        try:
            if not client.wait_for_service(timeout_sec=seconds):
                return None
            future = client.call_async(request)
            rclpy.spin_until_future_complete(self.node, future, timeout_sec=seconds)
            return future.result()
        finally:
            self.node.destroy_client(client)

    def measured(self):
        """Newest joint positions by name."""
        message = self.joint_states.newest
        return dict(zip(message.name, message.position)) if message else {}

    # ---- what is published

    def look(self):
        ready = [self.joint_states, self.diagnostics] + ([self.images] if self.images else [])
        self.spin(self.options.wait, lambda: all(topic.count > 0 for topic in ready))
        self.joint_states.count = 0
        self.joint_states.first_s = None
        self.spin(self.options.seconds)
        state = self.joint_states.newest
        self.check("joint_states arrive", self.joint_states.count > 10, self.joint_states.summary())
        count = len(self.joints)
        self.check("joint_states name the robot's joints", state and list(state.name[:count]) == self.joints)
        self.check(
            "joint_states hold finite position, velocity and effort",
            state
            and len(state.position) == len(state.velocity) == len(state.effort) == len(state.name)
            and all(map(math.isfinite, [*state.position, *state.velocity, *state.effort])),
        )
        self.check("joint_command arrives", self.joint_command.count > 10, self.joint_command.summary())
        self.check_description()
        self.check_frames()
        items = {status.name: status for status in self.diagnostics.newest.status} if self.diagnostics.newest else {}
        levels = {name: [status.level[0], status.message] for name, status in items.items()}
        self.check("diagnostics arrive", self.diagnostics.count >= 1 and levels, levels)
        if self.images:
            self.check_camera()

    def check_description(self):
        if not self.description.newest:
            return self.check("robot_description is kept for late subscribers", False)
        robot = xml.fromstring(self.description.newest.data)
        names = [joint.get("name") for joint in robot.findall("joint") if joint.get("type") == "revolute"]
        self.check("robot_description is kept for late subscribers", True, len(self.description.newest.data))
        self.check("robot_description has the joints of joint_states", set(self.measured()) <= set(names), names)

    def check_frames(self):
        moving = {one.child_frame_id for one in self.tf.newest.transforms} if self.tf.newest else set()
        fixed = {one.child_frame_id for one in self.tf_static.newest.transforms} if self.tf_static.newest else set()
        self.check("tf has the robot's links", self.links <= moving, self.tf.summary())
        self.check("tf_static is kept for late subscribers", fixed, sorted(fixed))
        if self.fingertips:
            tips = self.fingertips.newest
            self.check(
                "fingertips are told in the palm's frame, within reach of it",
                tips
                and tips.header.frame_id == f"{self.options.frame_prefix}palm_link"
                and len(tips.poses) == 4
                and all(math.hypot(p.position.x, p.position.y, p.position.z) < 0.25 for p in tips.poses),
                self.fingertips.summary(),
            )

    def check_camera(self):
        info, image = self.camera_info.newest, self.images.newest
        self.check("images arrive", self.images.count > 5, self.images.summary())
        self.check("camera_info arrives", info, self.camera_info.summary())
        if info and image:
            self.check(
                "camera_info describes the images",
                (info.width, info.height) == (image.width, image.height) and info.k[0] > 0,
                [info.width, info.height, image.encoding, image.header.frame_id, list(info.k)],
            )

    # ---- what the daemon answers

    def ask(self):
        state = self.call(GetState, "/cerebellum/get_state", GetState.Request())
        self.check("the daemon's node is active", state and state.current_state.label == "active")
        listed = self.call(ListParameters, "/cerebellum/list_parameters", ListParameters.Request())
        names = [name for name in (listed.result.names if listed else []) if "." in name]
        self.check("parameters mirror the cell", names, len(names))
        if names:
            value = ParameterValue(type=4, string_value="changed by the peer")
            request = SetParameters.Request(parameters=[Parameter(name=names[0], value=value)])
            answer = self.call(SetParameters, "/cerebellum/set_parameters", request)
            self.check("parameters are read-only", answer and not answer.results[0].successful)
        nonsense = ChangeState.Request()
        nonsense.transition.id = 99
        answer = self.call(ChangeState, "/cerebellum/change_state", nonsense)
        after = self.call(GetState, "/cerebellum/get_state", GetState.Request())
        self.check(
            "an unknown transition is refused and changes nothing",
            answer and not answer.success and after and after.current_state.label == "active",
        )
        if self.options.stop_policy:
            answer = self.call(StopPolicy, "/cerebellum/stop_policy", StopPolicy.Request())
            self.check("stop_policy succeeds", answer and answer.success, answer and answer.message)
        if self.options.enable:
            answer = self.call(Enable, "/cerebellum/enable", Enable.Request(), seconds=20)
            self.check("enable succeeds", answer and answer.success, answer and answer.message)

    # ---- what it executes

    def send(self, names, points):
        message = JointTrajectory(joint_names=names)
        for seconds, positions in points:
            point = JointTrajectoryPoint(positions=[float(value) for value in positions])
            point.time_from_start.sec = int(seconds)
            point.time_from_start.nanosec = int((seconds % 1) * 1e9)
            message.points.append(point)
        self.trajectory.publish(message)

    def settled(self):
        """Waits until the robot stands still for half a second and returns its joints."""
        before = None
        for _ in range(20):
            self.spin(0.5)
            now = [self.measured().get(name, math.nan) for name in self.joints]
            if before and max(abs(a - b) for a, b in zip(before, now)) < 0.001:
                break
            before = now
        return now

    def move(self):
        found = self.spin(5, lambda: self.trajectory.get_subscription_count() > 0)
        self.check("joint_trajectory has a subscriber", found)
        start = self.settled()
        index = self.joints.index(self.options.joint)
        goal = [value + (self.options.offset_rad if i == index else 0) for i, value in enumerate(start)]
        passed = []
        self.send(self.joints, [(2.0, goal)])
        self.spin(2.2, lambda: passed.append(self.measured().get(self.options.joint)))
        end = self.settled()
        error = max(abs(a - b) for a, b in zip(goal, end))
        half = [value for value in passed if value is not None]
        span = [min(half), max(half)] if half else None
        self.check(
            "the robot follows a trajectory", error < self.goal_tolerance_rad, {"goal": goal, "end": end, "worstRad": error}
        )
        self.check(
            "it passes through the middle instead of jumping",
            any(0.2 < (value - start[index]) / self.options.offset_rad < 0.8 for value in half),
            span,
        )
        refusals = [
            ("wrong joint names", [f"wrong{n}" for n in range(len(start))], [(2.0, start)]),
            ("NaN", self.joints, [(2.0, [math.nan] * len(start))]),
            ("too few joints", self.joints[:6], [(2.0, start[:6])]),
            ("times that do not rise", self.joints, [(2.0, start), (1.0, start)]),
            ("a first point far away at time 0", self.joints, [(0.0, start), (2.0, start)]),
        ]
        for refusal in refusals[: self.options.refusals]:
            self.refuse(*refusal, end)
        self.send(self.joints, [(2.0, start)])
        self.spin(2.2)
        end = self.settled()
        error = max(abs(a - b) for a, b in zip(start, end))
        self.check("the robot goes back after refusals", error < self.goal_tolerance_rad, {"worstRad": error})

    def refuse(self, what, names, points, stands):
        """Diagnostics come once a second: until they tell of this refusal, which has words of its own."""
        item = f"joint_trajectory: {self.options.robot}"
        say = lambda: next((one.message for one in self.diagnostics.newest.status if one.name == item), "")
        told = say()
        self.send(names, points)
        self.spin(0.5)
        self.spin(2.5, lambda: say().startswith("refused") and say() != told)
        said, now = say(), self.measured()
        still = max(abs(a - now.get(name, math.nan)) for name, a in zip(self.joints, stands)) < STILL_RAD
        self.check(f"refuses {what}", still and said.startswith("refused") and said != told, said)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--robot", default="arm")
    parser.add_argument("--device", default="xarm7", choices=sorted(JOINTS))
    parser.add_argument("--frame-prefix", default="", help="before the robot's links, where there are several robots")
    parser.add_argument("--camera-topic", default="/camera/wrist", help='"" for a cell without a camera')
    parser.add_argument("--seconds", type=float, default=2, help="how long to look at the topics")
    parser.add_argument("--wait", type=float, default=15, help="how long the cell may take to come up [s]")
    parser.add_argument("--joint", default="joint7", help="which moves")
    parser.add_argument("--offset-rad", type=float, default=0.2)
    parser.add_argument("--stop-policy", action="store_true", help="first take the arm from the running policy")
    parser.add_argument("--enable", action="store_true", help="first call the enable service")
    parser.add_argument("--refusals", type=int, default=5, help="how many wrong trajectories to try")
    parser.add_argument("--no-motion", action="store_true", help="only look and ask")
    options = parser.parse_args()
    rclpy.init()
    peer = Peer(options)
    try:
        peer.look()
        peer.ask()
        if not options.no_motion:
            peer.move()
    finally:
        failed = [name for name, check in peer.checks.items() if not check["holds"]]
        print(json.dumps({"failed": failed, "checks": peer.checks}, indent=1, default=str))
        peer.node.destroy_node()
        rclpy.shutdown()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
