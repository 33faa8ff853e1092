"""The bundle of a policy that takes a history of observations and actions, from weights that exist."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro

from cerebellum_trainer.history.bundle import Weights, write_history_bundle
from cerebellum_trainer.history.manifest import policy_of_manifest
from cerebellum_trainer.history.shipped import SHIPPED


@dataclass(frozen=True)
class History:
    """Writes the bundle of a history policy: a shipped one, or one's own from a manifest and a state dict."""

    policy: tyro.conf.Positional[str]
    """digit-random, digit-stand, or a policy.json that names slots, sizes, history and start."""
    out: Path | None = None
    """Folder of the bundle; policies/bundles/NAME when none is named."""
    state_dict: Path | None = None
    """PyTorch file of the network's weights (torch.save of state_dict()); random ones without it."""
    inference: Literal["full-window", "cached-embedding"] | None = None
    """full-window: all of the history at each step; cached-embedding: each step's embedding once. That of
    the manifest when none is named."""
    seed: int = 0
    """Of random weights."""
    threads: int = 1
    """Of the CPU, for the arithmetic."""


def run_history(config: History) -> Path:
    """Returns the bundle's folder."""
    torch.set_num_threads(config.threads)
    inference = "full-window"
    if config.policy in SHIPPED:
        policy, sizes, weights, notes = SHIPPED[config.policy]()
    else:
        origin = "trained" if config.state_dict else "random"
        policy, sizes, inference = policy_of_manifest(Path(config.policy), origin)
        weights = Weights(config.seed, config.state_dict)
        notes = f"From {Path(config.policy).name}."
    out = config.out or Path("policies/bundles") / policy.name
    manifest = write_history_bundle(out, policy, sizes, weights, config.inference or inference, notes)
    print(f"{out}: {manifest['kind']}, {manifest['parameters']} weights, motion {manifest['motion']}")
    return out
