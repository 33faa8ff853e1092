"""How easily the two stems of a Vision Transformer are trained: runs, tables, plots."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cerebellum_trainer.commands.work import WORK
from cerebellum_trainer.optimizability.plan import PlanConfig, length_trials, peak_trials, random_trials
from cerebellum_trainer.optimizability.report import Found, write_report
from cerebellum_trainer.optimizability.trials import Trials
from cerebellum_trainer.runs import file_sha256, write_run
from cerebellum_trainer.training.world import Hardware, open_world


@dataclass(frozen=True)
class Optimizability:
    """Compares patchify and convolutional stems: random settings, training lengths, optimisers, peak.

    What is done already in --out is not done again, so an interrupted comparison goes on.
    """

    out: Path = WORK / "optimizability"
    """Folder of runs, tables and plots."""
    plan: PlanConfig = field(default_factory=PlanConfig)
    hardware: Hardware = field(default_factory=Hardware)


def run_optimizability(config: Optimizability) -> Path:
    """Returns the file of the tables."""
    with open_world(config.hardware) as world:
        trials = Trials(config.plan, config.out / "trials.jsonl", world)
        random = trials.run(random_trials(config.plan))
        best = trials.best(random)
        lengths = trials.run(length_trials(config.plan, best))
        peaks = trials.run(peak_trials(config.plan, best))
    tables = write_report(Found(config.plan, random, lengths, peaks), config.out)
    results = {"tablesSha256": file_sha256(tables), "trials": len(trials.done)}
    inputs = {"trials": file_sha256(trials.file)}
    write_run(config.out / "run.json", "optimizability", config, inputs, results)
    print(tables.read_text(encoding="utf-8"))
    return tables
