"""Pictures that were rendered for pre-training: arrays of small images, left where they are on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cerebellum_trainer.errors import TrainerError


def open_corpus(path: Path, size_px: int) -> np.ndarray:
    """Memory-maps (n, size, size, 3) uint8 RGB. Raises: TrainerError CORPUS_UNREADABLE if it is not that."""
    try:
        corpus = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise TrainerError(
            "CORPUS_UNREADABLE", f"{path} is no .npy array", "Render the corpus again"
        ) from error
    if corpus.dtype != np.uint8 or corpus.ndim != 4 or corpus.shape[1:] != (size_px, size_px, 3):
        raise TrainerError(
            "CORPUS_UNREADABLE",
            f"{path} holds {corpus.dtype} {corpus.shape}, not uint8 (n, {size_px}, {size_px}, 3)",
            "Render the corpus at the encoder's image size",
        )
    return corpus
