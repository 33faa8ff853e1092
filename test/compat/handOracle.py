"""Judges the Allegro Hand's kinematics with Pinocchio: `handOracle.py IN.json OUT.json`.

Run by kinematics/allegro/handOracle.system.test.ts. IN: for each hand its URDF and `frames` (16 angles in wire order,
tips, and Jacobians as ours computes them). OUT: the largest differences, per hand [m, m/rad].
"""

import json
import sys

import numpy as np
import pinocchio as pin

TIPS = [f"link_{last}_tip" for last in (3, 7, 11, 15)]


def judge(hand: dict) -> dict:
    model = pin.buildModelFromXML(hand["urdf"])
    data = model.createData()
    # Pinocchio sorts joints by its own walk through the tree: by name, never by place.
    places = [model.joints[model.getJointId(f"joint{joint}")].idx_q for joint in range(16)]
    tips = [model.getFrameId(name) for name in TIPS]
    worst = {"positionM": 0.0, "jacobian": 0.0}
    for frame in hand["frames"]:
        q = np.zeros(16)
        q[places] = frame["q"]
        pin.computeJointJacobians(model, data, q)
        for finger, tip in enumerate(tips):
            pose = pin.updateFramePlacement(model, data, tip)
            theirs = pin.getFrameJacobian(model, data, tip, pin.LOCAL_WORLD_ALIGNED)[:3, places]
            ours = np.zeros((3, 16))
            ours[:, 4 * finger : 4 * finger + 4] = np.array(frame["jacobian"]).reshape(4, 3, 4)[finger]
            found = {
                "positionM": np.abs(pose.translation - np.array(frame["tipsM"]).reshape(4, 3)[finger]).max(),
                "jacobian": np.abs(theirs - ours).max(),
            }
            worst = {name: max(worst[name], float(found[name])) for name in worst}
    low = np.abs(model.lowerPositionLimit[places] - hand["positionMinRad"]).max()
    high = np.abs(model.upperPositionLimit[places] - hand["positionMaxRad"]).max()
    return worst | {"limitRad": float(max(low, high))}


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump({"hands": [judge(hand) for hand in given["hands"]]}, file)


main()
