"""Judges the lab's Digit with Pinocchio and native MuJoCo: `digitOracle.py IN.json OUT.json`.

Run by lab/digit/digitOracle.system.test.ts. IN: `urdf`, `mjcf`, `frames` (joint angles by name, base pose, sole middles as
ours has them), `sole` (in the foot's frame), `stand` (pose, gains, seconds, where ours is then). OUT: largest differences
[m], mass [kg], and where native MuJoCo's robot is after standing.
"""

import json
import sys

import mujoco
import numpy as np
import pinocchio as pin

FEET = ["left_toe_roll", "right_toe_roll"]


def kinematics(given: dict) -> dict:
    model = pin.buildModelFromXML(given["urdf"], pin.JointModelFreeFlyer())
    data = model.createData()
    worst = 0.0
    for frame in given["frames"]:
        q = pin.neutral(model)
        q[:3] = frame["positionM"]
        q[3:7] = frame["quatXyzw"]
        for name, angle in frame["angles"].items():
            q[model.joints[model.getJointId(name)].idx_q] = angle
        pin.framesForwardKinematics(model, data, q)
        for foot, name in enumerate(FEET):
            sole = data.oMf[model.getFrameId(name, pin.FrameType.BODY)].act(np.array(given["sole"][foot]))
            ours = np.array(frame["solesM"][3 * foot : 3 * foot + 3])
            worst = max(worst, float(np.abs(sole - ours).max()))
    return {"soleM": worst, "urdfKg": pin.computeTotalMass(model)}


def stand(mjcf: str, given: dict) -> dict:
    model = mujoco.MjModel.from_xml_string(mjcf)
    data = mujoco.MjData(model)
    data.qpos[:] = given["startQpos"]
    joints = [model.actuator_trnid[motor][0] for motor in range(model.nu)]
    position = model.jnt_qposadr[joints]
    target, stiffness, damping = (np.array(given[name]) for name in ("target", "stiffness", "damping"))
    model.actuator_biasprm[:, 2] = -damping
    for _ in range(given["steps"]):
        data.ctrl[:] = stiffness * (target - data.qpos[position])
        mujoco.mj_step(model, data)
    return {"baseM": list(data.qpos[:3]), "mjcfKg": float(model.body_mass.sum())}


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    verdict = kinematics(given) | stand(given["mjcf"], given["stand"])
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(verdict, file)


main()
