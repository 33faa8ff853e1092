"""The vendor's own client software (xarm-python-sdk 1.18.4) drives the emulated controller end to end.

Runs under the test of the same name: prints one JSON object a line, and where one has the key "ask" it waits for one
line on standard input with the emulator's answer.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections import Counter
from typing import Any

# The SDK prints from its threads; standard output is for the test alone.
OUTPUT, sys.stdout = sys.stdout, sys.stderr
RATE_HZ = 250
STREAM_S = 10.0
HOME_RAD = [0.0, -0.247, 0.0, 0.909, 0.0, 1.15644, 0.0]
JOINT_TOLERANCE_RAD = 1e-3

from xarm7Ports import use_ports  # noqa: E402  before the SDK

from xarm.wrapper import XArmAPI  # noqa: E402


def say(**fields: Any) -> None:
    print(json.dumps(fields), file=OUTPUT, flush=True)


def ask(**command: Any) -> dict[str, Any]:
    """Has the emulator do something, by way of the test."""
    say(ask=command)
    answer = json.loads(sys.stdin.readline())
    assert answer["ok"], answer
    return answer


def check(name: str, found: Any, wanted: Any) -> None:
    say(check=name, found=found, wanted=wanted, ok=found == wanted)


def check_near(name: str, found: list[float], wanted: list[float], tolerance: float) -> None:
    error = max(abs(a - b) for a, b in zip(found, wanted, strict=False))
    say(check=name, found=error, wanted=f"at most {tolerance}", ok=error <= tolerance)


def wait_until(condition: Any, limit_s: float = 3.0) -> bool:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def prepare(arm: XArmAPI, mode: int) -> None:
    """The vendor's order before motion."""
    arm.clean_error()
    arm.clean_warn()
    check(f"motion_enable before mode {mode}", arm.motion_enable(True), 0)
    check(f"set_mode({mode})", arm.set_mode(mode), 0)
    check(f"set_state(0) in mode {mode}", arm.set_state(0), 0)
    time.sleep(0.3)
    check(f"state after set_state(0) in mode {mode}", arm.get_state(), (0, 2))
    check(f"reported mode {mode}", wait_until(lambda: arm.mode == mode), True)


def connect(report_type: str) -> XArmAPI:
    begin = time.monotonic()
    arm = XArmAPI("127.0.0.1", is_radian=True, report_type=report_type, forbid_uds=True)
    say(figure=f"connect_{report_type}_ms", value=round(1000 * (time.monotonic() - begin), 1))
    check(f"connected ({report_type})", arm.connected, True)
    reports: list[Any] = []
    arm.register_report_callback(reports.append)
    check(f"reports arrive ({report_type})", wait_until(lambda: len(reports) > 1), True)
    return arm


def identify(arm: XArmAPI) -> None:
    check("version", arm.get_version(), (0, "7,7,XS1305,AC1304,v2.7.1"))
    check("serial", arm.get_robot_sn(), (0, "XS130520231201"))
    check("axes", arm.axis, 7)
    check("protocol id after the switch", arm._arm.arm_cmd.get_protocol_identifier(), 3)
    code, pose = arm.get_forward_kinematics([0.0] * 7, input_is_radian=True, return_is_radian=True)
    check("forward kinematics code", code, 0)
    check_near("forward kinematics of zero", pose[:3], [206.0, 0.0, 120.5], 1e-3)
    pose = [400, 0, 400, math.pi, 0, 0]
    code, joints = arm.get_inverse_kinematics(pose, input_is_radian=True, return_is_radian=True)
    check("inverse kinematics code", code, 0)
    code, pose = arm.get_forward_kinematics(joints, input_is_radian=True, return_is_radian=True)
    check_near("inverse, then forward", pose[:3], [400.0, 0.0, 400.0], 0.05)
    code, table = arm.get_dh_params()
    check("DH code", code, 0)
    check_near("DH row 1", table[:4], [0.0, 267.0, 0.0, 0.0], 1e-3)


def configure(arm: XArmAPI) -> None:
    """Settings reset the system, so mode and state come again after them."""
    prepare(arm, 0)
    check("set_tcp_load", arm.set_tcp_load(0.82, [0, 0, 48]), 0)
    check("set_tcp_offset", arm.set_tcp_offset([0, 0, 172, 0, 0, 0], wait=False), 0)
    check("set_collision_sensitivity", arm.set_collision_sensitivity(3, wait=False), 0)
    check("set_teach_sensitivity", arm.set_teach_sensitivity(3, wait=False), 0)
    check("state after settings", arm.get_state(), (0, 5))
    check("reported settings", wait_until(lambda: arm.tcp_load[0] > 0.8 and arm.tcp_offset[2] == 172), True)


def settled(arm: XArmAPI) -> list[float]:
    """Joint positions once the plant, which lags a little, has arrived."""
    time.sleep(0.2)
    code, joints = arm.get_servo_angle(is_real=True)
    check("get_servo_angle code", code, 0)
    return joints


def planned_moves(arm: XArmAPI) -> None:
    prepare(arm, 0)
    check("set_servo_angle to home", arm.set_servo_angle(angle=HOME_RAD, speed=1.5, mvacc=10, wait=True), 0)
    check_near("arrived at home", settled(arm), HOME_RAD, JOINT_TOLERANCE_RAD)
    check("one joint only", arm.set_servo_angle(servo_id=1, angle=0.3, speed=1.0, wait=True), 0)
    check_near("joint 1 moved alone", settled(arm), [0.3, *HOME_RAD[1:]], JOINT_TOLERANCE_RAD)
    code = arm.set_servo_angle(angle=[-0.3, 0, 0, 0, 0, 0, 0], relative=True, speed=1.0, wait=True)
    check("relative move", code, 0)
    check_near("back home", settled(arm), HOME_RAD, JOINT_TOLERANCE_RAD)
    code, before = arm.get_position()
    above = [before[0], before[1], before[2] + 50, *before[3:]]
    check("set_position", arm.set_position(*above, speed=200, mvacc=2000, wait=True), 0)
    check_near("50 mm higher", arm.get_position()[1][:3], above[:3], 0.5)
    check("queue is empty", arm.get_cmdnum(), (0, 0))
    check("velocity mode", arm.set_mode(4), 0)
    arm.set_state(0)
    time.sleep(0.1)
    start = arm.get_servo_angle(is_real=True)[1][0]
    check("vc_set_joint_velocity", arm.vc_set_joint_velocity([0.5, 0, 0, 0, 0, 0, 0], duration=0.5), 0)
    time.sleep(1.0)
    check_near("0.5 rad/s for 0.5 s", [arm.get_servo_angle(is_real=True)[1][0] - start], [0.25], 0.03)


def stream(arm: XArmAPI) -> None:
    """servo_j at 250 Hz for ten seconds from the present position: a slow sine on two joints."""
    prepare(arm, 1)
    start = arm.get_servo_angle(is_real=True)[1]
    ask(do="clearLog")
    codes: Counter[int] = Counter()
    waits_ms: list[float] = []
    period_s = 1 / RATE_HZ
    begin = time.monotonic()
    target = start
    for tick in range(round(STREAM_S * RATE_HZ)):
        due = begin + tick * period_s
        time.sleep(max(0.0, due - time.monotonic()))
        swing = 0.2 * (1 - math.cos(2 * math.pi * tick * period_s / 5))
        target = [start[0] + swing, *start[1:3], start[3] + swing / 2, *start[4:]]
        sent = time.monotonic()
        codes[arm.set_servo_angle_j(target)] += 1
        waits_ms.append(1000 * (time.monotonic() - sent))
    took_s = time.monotonic() - begin
    check("servo_j codes", dict(codes), {0: round(STREAM_S * RATE_HZ)})
    waits_ms.sort()
    say(figure="servo_j_rate_hz", value=round(len(waits_ms) / took_s, 1))
    say(figure="servo_j_mean_ms", value=round(sum(waits_ms) / len(waits_ms), 3))
    say(figure="servo_j_p99_ms", value=round(waits_ms[int(0.99 * len(waits_ms))], 3))
    say(figure="servo_j_max_ms", value=round(waits_ms[-1], 3))
    check_near("read back after the stream", settled(arm), target, JOINT_TOLERANCE_RAD)
    check_near("reported after the stream", arm.angles, target, JOINT_TOLERANCE_RAD)
    records = ask(do="log")["records"]
    check("frames on the wire", len([r for r in records if r["register"] == 29]), round(STREAM_S * RATE_HZ))


def gripper(arm: XArmAPI) -> None:
    check("set_gripper_mode", arm.set_gripper_mode(0), 0)
    check("set_gripper_enable", arm.set_gripper_enable(True), 0)
    check("set_gripper_speed", arm.set_gripper_speed(5000), 0)
    check("gripper open", arm.set_gripper_position(850, wait=True), 0)
    code, pulse = arm.get_gripper_position()
    check_near("gripper is open", [pulse], [850], 8)
    check("gripper close", arm.set_gripper_position(0, wait=True), 0)
    check_near("gripper is closed", [arm.get_gripper_position()[1]], [0], 8)
    check("gripper version", arm.get_gripper_version(), (0, "3.4.3"))
    ask(do="gripper", errorCode=11)
    check("gripper error code", arm.get_gripper_err_code(), (0, 11))
    check("a call with a gripper error", arm.set_gripper_position(400, wait=False, wait_motion=False), 102)
    check("clean_gripper_error", arm.clean_gripper_error(), 0)
    check("gripper works again", arm.set_gripper_position(400, wait=True), 0)
    ask(do="gripper", objectWidthM=0.03)
    check("gripper closes on an object", arm.set_gripper_position(0, wait=True), 0)
    code, pulse = arm.get_gripper_position()
    check("gripper stopped at the object", 200 < pulse < 350, True)
    ask(do="gripper", objectWidthM=0)


def errors(arm: XArmAPI) -> None:
    prepare(arm, 1)
    here = arm.get_servo_angle(is_real=True)[1]
    check("servo_j before the error", arm.set_servo_angle_j(here), 0)
    ask(do="error", code=31)
    time.sleep(0.3)
    check("servo_j with an error", arm.set_servo_angle_j(here), 1)
    check("error code", arm.get_err_warn_code()[1][0], 31)
    check("state with an error", arm.get_state(), (0, 4))
    check("reported mode falls back", wait_until(lambda: arm.mode == 0), True)
    check("reported error", wait_until(lambda: arm.error_code == 31), True)
    # A ready state alone does not bring servo mode back: the whole order does.
    arm.clean_error()
    arm.set_state(0)
    time.sleep(0.3)
    check("mode 0 after half a recovery", arm.mode, 0)
    check("servo_j after half a recovery", arm.set_servo_angle_j(here), 9)
    prepare(arm, 1)
    check("servo_j after the whole recovery", arm.set_servo_angle_j(here), 0)
    check("stop", arm.set_state(4), 0)
    check("state after stop", arm.get_state(), (0, 4))
    check("servo_j after stop", arm.set_servo_angle_j(here), 9)
    prepare(arm, 1)
    far = [here[0] + 0.5, *here[1:]]
    arm.set_servo_angle_j(far)
    time.sleep(0.3)
    check("a jump raises C24", arm.get_err_warn_code()[1][0], 24)
    prepare(arm, 1)
    beyond = [*here[:3], -0.15, *here[4:]]
    check("servo_j outside of the limits stays in the client", arm.set_servo_angle_j(beyond), -8)
    arm.emergency_stop()
    check("state after emergency_stop", arm.get_state(), (0, 4))


def main() -> None:
    use_ports(json.loads(sys.argv[1]))
    arm = connect("rich")
    identify(arm)
    configure(arm)
    planned_moves(arm)
    gripper(arm)
    errors(arm)
    arm.disconnect()
    arm = connect("real")
    stream(arm)
    arm.disconnect()
    arm = connect("normal")
    check("normal reports", arm.error_code, 0)
    arm.disconnect()
    say(done=True)


main()
