"""A history policy from the manifest of a bundle: other weights for the same slots, or slots of one's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.history.description import (
    Acted,
    CommandRule,
    Fixed,
    HistoryPolicy,
    Observed,
    Start,
)
from cerebellum_trainer.history.networks import KINDS, NetworkConfig


def policy_of_manifest(file: Path, weights: str) -> tuple[HistoryPolicy, NetworkConfig, str]:
    """What it describes, the sizes of its network, and its way of inference.

    Only what a network needs is read; checksums, goldens and provenance are made anew.

    Raises: TrainerError MANIFEST_UNREADABLE.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        sizes: dict[str, Any] = {
            "mlp_ratio" if name == "mlpRatio" else name: tuple(value) if isinstance(value, list) else value
            for name, value in found["architecture"].items()
        }
        history, start = found["history"], found["start"]
        policy = HistoryPolicy(
            name=found["name"],
            task=found["task"],
            description=found["description"],
            motion=found["motion"],
            motion_reason=found["motionReason"],
            observation=tuple(observed(slot) for slot in found["observation"]),
            action=tuple(acted(slot) for slot in found["action"]["slots"]),
            fixed=tuple(
                Fixed(
                    entry["joint"],
                    entry.get("positionRad"),
                    entry.get("stiffnessNmPerRad"),
                    entry.get("dampingNmSPerRad"),
                )
                for entry in found["action"]["fixed"]
            ),
            start=Start(
                tuple(start["positionRad"]),
                tuple(start["stiffnessNmPerRad"]),
                tuple(start["dampingNmSPerRad"]),
                start["toleranceRad"],
                start["tiltRadMax"],
                start["blendMs"],
            ),
            weights=weights,
            steps=history["steps"],
            fill=history["fill"],
            previous_action=history["previousAction"],
            rate_hz=found["rateHz"],
            expiry_ms=found["expiryMs"],
            clock_period_s=found.get("clock", {}).get("periodS"),
            command=command_rule(found["command"]) if "command" in found else None,
            default_action=tuple(history["defaultAction"]),
        )
        return policy, KINDS[found["kind"]](**sizes), found["model"]["inference"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainerError(
            "MANIFEST_UNREADABLE",
            f"{file} does not describe a history policy: {error!r}",
            "Begin with the policy.json of a shipped bundle, such as digit-random",
        ) from error


def observed(slot: dict) -> Observed:
    return Observed(
        slot["source"],
        slot["of"],
        slot["unit"],
        slot.get("frame"),
        slot.get("offset", 0.0),
        slot["scale"],
        tuple(slot["clip"]),
        slot.get("delaySteps", 0),
    )


def acted(slot: dict) -> Acted:
    return Acted(
        slot["quantity"],
        slot["joint"],
        slot["offset"],
        slot["scale"],
        tuple(slot["range"]),
        tuple(slot["clip"]),
        slot.get("overwritten", False),
    )


def command_rule(rule: dict) -> CommandRule:
    names = ("forwardMPerS", "leftMPerS", "yawRateRadPerS")
    return CommandRule(
        cutoff=tuple(rule["cutoff"][name] for name in names),
        low=tuple(rule["range"][name][0] for name in names),
        high=tuple(rule["range"][name][1] for name in names),
        stale_ms=rule.get("staleMs", 500),
    )
