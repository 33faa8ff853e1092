"""The policies of Digit that come with the software: one stands, one only shows what a step costs."""

from __future__ import annotations

from cerebellum_trainer.history.bundle import Weights
from cerebellum_trainer.history.description import (
    JOINTS,
    Acted,
    CommandRule,
    Fixed,
    HistoryPolicy,
    Observed,
    Start,
)
from cerebellum_trainer.history.networks import MlpConfig, NetworkConfig, TransformerConfig

LEG, ARM = 6, 4
MIRRORED = -1.0


def mirrored(leg: list[float], arm: list[float]) -> tuple[float, ...]:
    """Left side's numbers and the right side's, which has all its angles the other way round."""
    return (*leg, *(MIRRORED * angle for angle in leg), *arm, *(MIRRORED * angle for angle in arm))


def both_sides(leg: list[float], arm: list[float]) -> tuple[float, ...]:
    return (*leg, *leg, *arm, *arm)


# Pose in which users' robots stand, and gains by which one stood in MuJoCo at 1 kHz. Damping stays at or
# below nine tenths of what the motors' drives take (hip yaw 26.1, toes 28.6 N·m·s/rad).
STAND_POSE = mirrored([0.3747, -0.0002, 0.3113, 0.3440, -0.1231, 0.1228], [-0.0773, 1.1451, 0.0013, -0.0426])
STAND = Start(
    position_rad=STAND_POSE,
    stiffness=(1000.0,) * len(JOINTS),
    damping=both_sides([30.0, 23.5, 30.0, 30.0, 25.7, 25.7], [30.0, 30.0, 23.5, 30.0]),
)

# Where public walking policies for this robot have their zero, and their gains.
WALK_POSE = mirrored([0.3330, -0.0266, 0.1924, 0.2290, -0.0130, -0.0204], [-0.1055, 0.8949, -0.0086, 0.3448])
WALK_STIFFNESS = both_sides([80, 80, 110, 140, 40, 40], [80, 80, 50, 80])
WALK_DAMPING = both_sides([8, 8, 10, 12, 6, 6], [9, 9, 7, 9])


def proprioception(joints: tuple[str, ...]) -> tuple[Observed, ...]:
    """In the order of the thesis: velocities of the base, joints, gravity."""
    axes = ("x", "y", "z")
    return (
        *(Observed("base-linear-velocity", axis, "m/s", "base", scale=2.0) for axis in axes),
        *(Observed("base-angular-velocity", axis, "rad/s", "base", scale=0.25) for axis in axes),
        *(Observed("joint-position", joint, "rad", offset=rest(joint)) for joint in joints),
        *(Observed("joint-velocity", joint, "rad/s", scale=0.05) for joint in joints),
        *(Observed("projected-gravity", axis, "none", "base") for axis in axes),
    )


def rest(joint: str) -> float:
    return WALK_POSE[JOINTS.index(joint)] if joint in JOINTS else 0.0


def walk_gains(joint: str) -> tuple[float, float]:
    """Stiffness and damping."""
    at = JOINTS.index(joint)
    return WALK_STIFFNESS[at], WALK_DAMPING[at]


def digit_random() -> tuple[HistoryPolicy, NetworkConfig, Weights, str]:
    springs = tuple(
        f"{side}_{name}" for side in ("left", "right") for name in ("shin", "tarsus", "heel_spring")
    )
    clock = tuple(Observed("clock", of, "none") for of in ("sin", "cos"))
    commands = tuple(
        Observed("velocity-command", of, "rad/s" if of == "yaw" else "m/s", "heading")
        for of in ("forward", "left", "yaw")
    )
    gained = [joint for joint in JOINTS[: 2 * LEG] if "toe" not in joint]
    toes = [joint for joint in JOINTS if "toe" in joint]
    arms = JOINTS[2 * LEG :]
    at = JOINTS.index

    def gain(quantity: str, joint: str) -> Acted:
        rest_gain = walk_gains(joint)[("stiffness", "damping").index(quantity)]
        return Acted(quantity, joint, rest_gain, rest_gain / 4, (rest_gain / 4, rest_gain * 2.5))

    policy = HistoryPolicy(
        name="digit-random",
        task="walk",
        description="A causal Transformer of full size with random weights, for timing and parity only.",
        motion="refused",
        motion_reason="Its weights are random: it would make the robot fall.",
        observation=(*proprioception((*JOINTS, *springs)), *clock, *commands),
        action=(
            *(
                Acted(
                    "position", joint, WALK_POSE[at(joint)], 0.25,
                    (WALK_POSE[at(joint)] - 0.6, WALK_POSE[at(joint)] + 0.6), overwritten=joint in toes,
                )
                for joint in JOINTS
            ),
            *(gain("stiffness", joint) for joint in gained),
            *(gain("damping", joint) for joint in gained),
        ),
        fixed=(
            *(Fixed(joint, WALK_POSE[at(joint)], *walk_gains(joint)) for joint in toes),
            *(Fixed(joint, None, *walk_gains(joint)) for joint in arms),
        ),
        start=STAND,
        weights="random",
        clock_period_s=0.8,
        command=CommandRule(),
    )  # fmt: skip
    notes = (
        "Sizes, token and ranges as the thesis has them; which 26 joints, the slots of the action and their "
        "order are not public and are our choice."
    )
    return policy, TransformerConfig(), Weights(seed=0), notes


def digit_stand() -> tuple[HistoryPolicy, NetworkConfig, Weights, str]:
    at = JOINTS.index
    policy = HistoryPolicy(
        name="digit-stand",
        task="stand",
        description="Stands: constant joint targets, held stiffly.",
        motion="allowed",
        motion_reason="It asks for the pose and the gains of the stand state, whatever it sees.",
        observation=proprioception(JOINTS),
        action=tuple(
            Acted("position", joint, STAND_POSE[at(joint)], 0.05,
                  (STAND_POSE[at(joint)] - 0.1, STAND_POSE[at(joint)] + 0.1))
            for joint in JOINTS
        ),
        fixed=tuple(
            Fixed(joint, None, STAND.stiffness[at(joint)], STAND.damping[at(joint)]) for joint in JOINTS
        ),
        start=STAND,
        weights="constructed",
        steps=1,
    )  # fmt: skip
    notes = (
        "Nothing was learned: the last layer is zero, so the network answers zeros and the joints get the "
        "offsets of their slots. It does not balance; stiff joints and feet flat on the ground do."
    )
    return policy, MlpConfig(hidden=(32,)), Weights(seed=0, constant=True), notes


SHIPPED = {"digit-random": digit_random, "digit-stand": digit_stand}
