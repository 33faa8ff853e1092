"""Judges the arm's kinematics with Pinocchio and mink: `inverseOracle.py IN.json OUT.json`.

Run by kinematics/inverseOracle.system.test.ts. Poses are those of link_tcp in the base frame, angles in radians.
IN: urdf, limits, velocity, home; `frames` (angles, tool point, rotation, Jacobian as ours computes them); `reached`
(angles that our solver has found for a target); `missed` (start and target that it has not reached) and `unreachable`,
both for mink to try.
"""

import json
import sys

import mink
import mujoco
import numpy as np
import pinocchio as pin

WEIGHT_M = 0.3
"""Metres that a radian of rotation error is worth, in both solvers."""
SECONDS_MAX = 20


def rotation_error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(pin.log3(one.T @ other)))


def judge_frames(model: pin.Model, frames: list[dict]) -> dict:
    data = model.createData()
    tool = model.getFrameId("link_tcp")
    worst = {"positionM": 0.0, "rotationRad": 0.0, "jacobian": 0.0}
    for each in frames:
        q = pin.neutral(model)
        q[:7] = each["q"]
        pin.computeJointJacobians(model, data, q)
        pose = pin.updateFramePlacement(model, data, tool)
        jacobian = pin.getFrameJacobian(model, data, tool, pin.LOCAL_WORLD_ALIGNED)[:, :7]
        rotation = np.array(each["rotation"]).reshape(3, 3)
        found = {
            "positionM": np.abs(pose.translation - each["toolM"]).max(),
            "rotationRad": rotation_error(pose.rotation, rotation),
            "jacobian": np.abs(jacobian - np.array(each["jacobian"]).reshape(6, 7)).max(),
        }
        worst = {name: max(worst[name], float(found[name])) for name in worst}
    return worst


def judge_reached(model: pin.Model, reached: list[dict]) -> list[dict]:
    """What is left of the way to each target, by Pinocchio, and by how much a limit of the URDF is broken."""
    data = model.createData()
    tool = model.getFrameId("link_tcp")
    results = []
    for each in reached:
        q = pin.neutral(model)
        q[:7] = each["q"]
        pin.forwardKinematics(model, data, q)
        pose = pin.updateFramePlacement(model, data, tool)
        low = model.lowerPositionLimit[:7] - q[:7]
        high = q[:7] - model.upperPositionLimit[:7]
        results.append(
            {
                "positionM": float(np.linalg.norm(pose.translation - each["targetM"])),
                "rotationRad": rotation_error(pose.rotation, np.array(each["rotation"]).reshape(3, 3)),
                "beyondRad": float(max(low.max(), high.max())),
            }
        )
    return results


class Mink:
    """The same task, limits and start; steps of 1/30 s until it is there, or for `SECONDS_MAX`."""

    def __init__(self, given: dict) -> None:
        text = given["urdf"].replace(
            '<robot name="xarm7">',
            '<robot name="xarm7"><mujoco><compiler fusestatic="false" balanceinertia="true"/></mujoco>',
        )
        self.model = mujoco.MjModel.from_xml_string(text)
        for index, (low, high) in enumerate(zip(given["positionMinRad"], given["positionMaxRad"], strict=True)):
            self.model.joint(f"joint{index + 1}").range = [low, high]
        self.task = mink.FrameTask(
            "link_tcp", "body", position_cost=1.0, orientation_cost=WEIGHT_M, lm_damping=0.01
        )
        self.posture = mink.PostureTask(self.model, cost=1e-3)
        self.limits = [
            mink.ConfigurationLimit(self.model),
            mink.VelocityLimit(self.model, {f"joint{n + 1}": given["velocityMaxRadPerS"] for n in range(7)}),
        ]
        self.configuration = mink.Configuration(self.model)

    def follow(self, start: list[float], target: dict, until: bool) -> dict:
        q = self.configuration.q.copy()
        q[:] = 0
        q[:7] = start
        self.configuration.update(q)
        self.posture.set_target(q)
        rotation = mink.SO3.from_matrix(np.array(target["rotation"]).reshape(3, 3))
        pose = mink.SE3.from_rotation_and_translation(rotation, np.array(target["targetM"]))
        self.task.set_target(pose)
        period = 1 / 30
        for _ in range(SECONDS_MAX * 30):
            velocity = mink.solve_ik(
                self.configuration,
                [self.task, self.posture],
                period,
                "daqp",
                damping=1e-6,
                limits=self.limits,
            )
            self.configuration.integrate_inplace(velocity, period)
            error = self.task.compute_error(self.configuration)
            left = {"positionM": np.linalg.norm(error[:3]), "rotationRad": np.linalg.norm(error[3:])}
            is_there = left["positionM"] <= 1e-3 and left["rotationRad"] <= np.radians(0.5)
            if is_there and until:
                break
            if not until and np.abs(velocity).max() < 1e-3:
                break
        return {name: float(value) for name, value in left.items()} | {"reached": bool(is_there)}


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    model = pin.buildModelFromXML(given["urdf"])
    rival = Mink(given)
    result = {
        "pinocchio": pin.__version__,
        "frames": judge_frames(model, given["frames"]),
        "reached": judge_reached(model, given["reached"]),
        "missed": [rival.follow(each["startRad"], each, True) for each in given["missed"]],
        "unreachable": [rival.follow(given["homeRad"], each, False) for each in given["unreachable"]],
    }
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(result, file)


main()
