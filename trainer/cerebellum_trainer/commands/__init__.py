"""Commands of the trainer, a file each. Each leaves a JSON record of its run beside its result."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any

import tyro

from cerebellum_trainer.commands.bench_mae import BenchMae, run_bench_mae
from cerebellum_trainer.commands.clone import Clone, run_clone
from cerebellum_trainer.commands.encoders import Encoders, run_encoders
from cerebellum_trainer.commands.export import Export, run_export
from cerebellum_trainer.commands.frames import Frames, run_frames
from cerebellum_trainer.commands.history import History, run_history
from cerebellum_trainer.commands.import_checkpoint import Import, run_import
from cerebellum_trainer.commands.looc import Looc, LoocStudy, run_looc, run_looc_study
from cerebellum_trainer.commands.optimizability import Optimizability, run_optimizability
from cerebellum_trainer.commands.pretrain import Pretrain, run_pretrain
from cerebellum_trainer.commands.reach_block import ReachBlock, run_reach_block
from cerebellum_trainer.commands.report import Report, run_report
from cerebellum_trainer.commands.sweep import Sweep, run_sweep
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.training.failures import first_line, is_out_of_memory

RUNNERS: dict[type, Callable[[Any], object]] = {
    Frames: run_frames,
    Pretrain: run_pretrain,
    BenchMae: run_bench_mae,
    Clone: run_clone,
    Export: run_export,
    Report: run_report,
    ReachBlock: run_reach_block,
    History: run_history,
    Encoders: run_encoders,
    Import: run_import,
    Looc: run_looc,
    LoocStudy: run_looc_study,
    Optimizability: run_optimizability,
    Sweep: run_sweep,
}

# Exit code of what Ctrl-C has ended, as shells have it.
INTERRUPTED = 130


def main() -> int:
    """Runs one command; expected trouble is one line on standard error and exit code 1."""
    chosen: object = tyro.cli(reduce(or_, RUNNERS), prog="cerebellum train")
    try:
        RUNNERS[type(chosen)](chosen)
    except (TrainerError, RuntimeError, MemoryError) as error:
        told = error if isinstance(error, TrainerError) else out_of_memory(error)
        if told is None:
            raise
        print(f"{told.code}: {told}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        told = TrainerError(
            "INTERRUPTED",
            "Stopped by the keyboard",
            "Sweeps and comparisons go on where they were, pre-training with --resume; others begin anew",
        )
        print(f"{told.code}: {told}", file=sys.stderr)
        return INTERRUPTED
    return 0


def out_of_memory(error: RuntimeError | MemoryError) -> TrainerError | None:
    """Where no training loop has told it already: while episodes are read, say, or features computed."""
    if not is_out_of_memory(error):
        return None
    return TrainerError(
        "OUT_OF_MEMORY",
        f"There is no memory for it: {first_line(error)}",
        "Name fewer episodes, lights (--relighting.copies) or workers, a smaller encoder, or its class token "
        "alone (--controller.feature class-token)",
    )
