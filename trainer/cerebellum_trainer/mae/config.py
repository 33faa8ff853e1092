"""Settings of pre-training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MaeConfig:
    """Recipe of pre-training. `images` counts repetitions; the schedule is a 5 % warm-up, then a cosine."""

    images: int = 64_000
    batch: int = 128
    """Of all processes together."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warm_up_share: float = 0.05
    gradient_norm_max: float = 1.0
    mask_share: float = 0.75
    decoder_width: int = 96
    decoder_depth: int = 2
    decoder_heads: int = 3
    # Of RGB / 255: about six grey levels.
    deviation_floor: float = 0.025

    @property
    def steps(self) -> int:
        return max(1, self.images // self.batch)
