"""Learning rates and weight decay, for all who train by AdamW or SGD."""

from __future__ import annotations

import math
from typing import Any

from torch import nn


def cosine_rate(step: int, steps: int, warm_up_share: float) -> float:
    """Factor on the learning rate at `step` of `steps`: linear from 0, then half a cosine to 0."""
    warm_up = max(1, round(steps * warm_up_share))
    if step < warm_up:
        return step / warm_up
    return 0.5 + 0.5 * math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up))


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay for matrices only: biases, norms and tokens go without."""
    trained = [p for p in module.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim > 1 and p.shape[0] > 1]
    others = [p for p in trained if not (p.ndim > 1 and p.shape[0] > 1)]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
