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

    episodes: Path
    corpus: Path
    reading: tyro.conf.OmitArgPrefixes[Reading] = field(default_factory=Reading)
    out: Path = Path("policies/bundles/reach-block")
    work: Path = WORK
    seed: int = 0
    threads: int = 1


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
