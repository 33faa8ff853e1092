"""The policies of Digit that come with the software: one stands, one only shows what a step costs."""

from __future__ import annotations

from torch import nn

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
from cerebellum_trainer.history.networks import (
    HistoryNetwork,
    Mlp,
    MlpConfig,
    NetworkConfig,
    TransformerConfig,
)

LEG, ARM = 6, 4
MIRRORED = -1.0


def mirrored(leg: list[float], arm: list[float]) -> tuple[float, ...]:
    """Left side's numbers and the right side's, which has all its angles the other way round."""
    return (*leg, *(MIRRORED * angle for angle in leg), *arm, *(MIRRORED * angle for angle in arm))


def both_sides(leg: list[float], arm: list[float]) -> tuple[float, ...]:
    return (*leg, *leg, *arm, *arm)


# The stand of the daemon's servo (DIGIT_STAND in kinematics/digit/motors.ts; policies/history/stand.test.ts
# holds the two together): where a run begins, and the gains that hold the robot until then. Legs of 1000
# N·m/rad; no drive is told more damping than 95 % of what it announces (yaws of hip and shoulder 26.112909,
# toes 28.553161 N·m·s/rad).
STAND_POSE = mirrored(
    [0.35385, -0.0134, 0.25185, 0.2865, -0.06805, 0.0512], [-0.0773, 1.1451, 0.0013, -0.0426]
)
YAW_DAMPING, TOE_DAMPING = 0.95 * 26.112909, 0.95 * 28.553161
STAND = Start(
    position_rad=STAND_POSE,
    stiffness=both_sides([1000.0] * LEG, [500.0] * ARM),
    damping=both_sides(
        [30.0, YAW_DAMPING, 30.0, 30.0, TOE_DAMPING, TOE_DAMPING], [30.0, 30.0, YAW_DAMPING, 30.0]
    ),
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


# The stand's balance of the daemon's kinematics/digit, found on the lab's body: knees against a lean to the
# side, soles against one forward, which do not answer its rate because that loop rocks.
CHANGE_RAD_MAX, TOE_PER_SOLE = 0.3, 0.957
BALANCED = {
    "left_knee": ("side", 1.0),
    "right_knee": ("side", 1.0),
    "left_toe_A": ("forward", TOE_PER_SOLE),
    "left_toe_B": ("forward", -TOE_PER_SOLE),
    "right_toe_A": ("forward", -TOE_PER_SOLE),
    "right_toe_B": ("forward", TOE_PER_SOLE),
}
# Target's change by gravity as the base feels it (+y leaning to the left, +x leaning forward) [rad/rad], and
# by angular velocity about an axis [rad/(rad/s)].
LEANS = {"side": ("y", 0.5, "x", -0.2), "forward": ("x", 0.4, "y", 0.0)}
STAND_STIFFNESS = both_sides([1200.0] * LEG, [1000.0] * ARM)


def digit_stand() -> tuple[HistoryPolicy, NetworkConfig, Weights, str]:
    at = JOINTS.index

    def slot(joint: str) -> Acted:
        rest_rad, change = STAND_POSE[at(joint)], CHANGE_RAD_MAX * abs(BALANCED.get(joint, ("", 0.1))[1])
        return Acted("position", joint, rest_rad, 1.0, (rest_rad - 0.35, rest_rad + 0.35), (-change, change))

    policy = HistoryPolicy(
        name="digit-stand",
        task="stand",
        description="Stands: stiff joints in one pose, knees and soles against a lean.",
        motion="allowed",
        motion_reason="It keeps to the pose of the stand state within 0.3 rad.",
        observation=proprioception(JOINTS),
        action=tuple(slot(joint) for joint in JOINTS),
        fixed=tuple(
            Fixed(joint, None, STAND_STIFFNESS[at(joint)], STAND.damping[at(joint)]) for joint in JOINTS
        ),
        start=STAND,
        # Its targets hardly change, and a computer that simulates the robot too is late at times.
        expiry_ms=100.0,
        weights="constructed",
        steps=1,
    )
    notes = (
        "Nothing was learned: four hidden units compute lean and rate of lean to the side and forward, the "
        "last layer spreads them over knees and toes. It takes no step; found in MuJoCo, tried on no robot."
    )

    def construct(network: HistoryNetwork) -> None:
        """Of each lean a unit for either sign: what rectifies them adds up to the lean itself."""
        ids = {(slot.source, slot.of): place for place, slot in enumerate(policy.observation)}
        assert isinstance(network, Mlp)
        hidden, _, out = network.layers
        assert isinstance(hidden, nn.Linear)
        assert isinstance(out, nn.Linear)
        for layer in (hidden, out):
            layer.weight.zero_()
            layer.bias.zero_()
        for unit, (lean, (gravity, by_lean, axis, by_rate_s)) in enumerate(LEANS.items()):
            for place, sign in ((2 * unit, 1.0), (2 * unit + 1, -1.0)):
                seen, turning = ids["projected-gravity", gravity], ids["base-angular-velocity", axis]
                hidden.weight[place, seen] = sign * by_lean
                scale = policy.observation[turning].scale
                hidden.weight[place, turning] = sign * by_rate_s / scale
                for joint, (of, share) in BALANCED.items():
                    if of == lean:
                        out.weight[at(joint), place] = sign * share

    return policy, MlpConfig(hidden=(4,), activation="relu"), Weights(construct=construct), notes


SHIPPED = {"digit-random": digit_random, "digit-stand": digit_stand}
