"""Settings of pre-training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MaeConfig:
    """Recipe of pre-training. `images` counts repetitions; the schedule is a 5 % warm-up, then a cosine."""

    images: int = 64_000
    """Pictures seen, repetitions counted."""
    batch: int = 128
    """Pictures of a step, of all processes together."""
    learning_rate: float = 1e-3
    """Peak of AdamW's, after the warm-up."""
    weight_decay: float = 0.05
    """AdamW's, of matrices only: none on biases, norms and tokens."""
    warm_up_share: float = 0.05
    """Share of the steps in which the learning rate rises; then a cosine to 0."""
    gradient_norm_max: float = 1.0
    """Longer gradients are scaled down to it."""
    mask_share: float = 0.75
    """Share of the patches that the encoder does not see."""
    decoder_width: int = 96
    """Numbers of a token in the decoder."""
    decoder_depth: int = 2
    """Blocks of the decoder."""
    decoder_heads: int = 3
    """Of the decoder's attention."""
    # Of RGB / 255: about six grey levels.
    deviation_floor: float = 0.025
    """Least deviation that a patch is divided by, of RGB / 255: about six grey levels."""

    @property
    def steps(self) -> int:
        return max(1, self.images // self.batch)
