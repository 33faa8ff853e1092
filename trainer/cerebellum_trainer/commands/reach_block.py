"""Everything for the main job: pretrain, then clone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from cerebellum_trainer.commands.clone import Clone, run_clone
from cerebellum_trainer.commands.pretrain import Pretrain, run_pretrain
from cerebellum_trainer.commands.work import WORK
from cerebellum_trainer.samples import Reading
from cerebellum_trainer.training.world import Hardware


@dataclass(frozen=True)
class ReachBlock:
    """Everything: pre-trains the encoder unless it is there already, clones, writes the bundle."""

    episodes: tuple[Path, ...]
    """Folders of sets, each with episode-000001, episode-000002 and so on; several are read as one."""
    corpus: Path
    """(n, size, size, 3) uint8 .npy to pre-train on, as the corpus renderer writes it."""
    reading: tyro.conf.OmitArgPrefixes[Reading] = field(default_factory=Reading)
    out: Path = Path("policies/bundles/reach-block")
    """Folder of the bundle."""
    work: Path = WORK
    """Folder of the encoder, and of its tokens."""
    seed: int = 0
    """Of all chance: the same seed on the same computer gives the same result."""
    threads: int = 1
    """Of the CPU, for the arithmetic."""


def run_reach_block(config: ReachBlock) -> Path:
    encoder = config.work / "encoder" / "encoder.safetensors"
    if not encoder.exists():
        hardware = Hardware(threads=config.threads)
        run_pretrain(
            Pretrain((config.corpus,), out=encoder.parent, seed=config.seed, hardware=hardware, resume=True)
        )
    return run_clone(
        Clone(
            config.episodes,
            encoder=encoder,
            reading=config.reading,
            out=config.out,
            features=config.work / "features",
            seed=config.seed,
            threads=config.threads,
        )
    )
