"""Many policies from one file: train, try, compare."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from cerebellum_trainer.commands.work import WORK
from cerebellum_trainer.sweep.picture import draw
from cerebellum_trainer.sweep.plan import Run, SweepPlan, read_sweep
from cerebellum_trainer.sweep.results import as_json, as_table, collect
from cerebellum_trainer.sweep.training import BUNDLE, RECORD, Trainer, write_json
from cerebellum_trainer.sweep.trials import COMMAND, evaluate, file_of


@dataclass(frozen=True)
class Sweep:
    """Trains and tries every policy that a YAML file describes, and compares them; goes on where it ended."""

    file: tyro.conf.Positional[Path]
    """The sweep; its paths are relative to it."""
    out: Path | None = None
    """Folder of runs, table and picture; .cerebellum/training/sweeps/NAME when none is named."""
    list: bool = False
    """Only say which runs there are, and which are done."""
    evaluator: tuple[str, ...] = COMMAND
    """What tries a bundle: takes the task and the options of `./cerebellum evaluate`."""
    threads: int = 1
    """Of the CPU, for the arithmetic."""


def run_sweep(config: Sweep) -> Path:
    """Returns the folder of the results, which are written anew after each run."""
    torch.set_num_threads(config.threads)
    sweep = read_sweep(config.file)
    out = config.out or WORK / "sweeps" / sweep.name
    runs = sweep.runs()
    trainer = Trainer(sweep, out / "features")
    for place, run in enumerate(runs, 1):
        missing = missing_of(sweep, run, out)
        said = ", ".join(missing) or "done"
        print(f"{place}/{len(runs)} {run.name}, seed {run.seed}: {said}", flush=True)
        if config.list or not missing:
            continue
        work_on(sweep, run, out / run.folder, trainer, config.evaluator)
        write_results(sweep, out)
    if not config.list:
        write_results(sweep, out)
        print((out / "table.md").read_text(encoding="utf-8"))
    return out


def missing_of(sweep: SweepPlan, run: Run, out: Path) -> list[str]:
    """What is still to be done."""
    folder = out / run.folder
    missing = [] if is_trained(sweep, run, folder) else ["training"]
    if sweep.evaluate is not None:
        missing += [
            f"trials in {light} light"
            for light in sweep.evaluate.lights
            if missing or not file_of(folder, sweep.evaluate, light).exists()
        ]
    return missing


def is_trained(sweep: SweepPlan, run: Run, folder: Path) -> bool:
    """Of the demonstrations and the encoder that are there now."""
    record = folder / RECORD
    return record.exists() and json.loads(record.read_text(encoding="utf-8"))["inputs"] == sweep.inputs_of(
        run
    )


def work_on(sweep: SweepPlan, run: Run, folder: Path, trainer: Trainer, evaluator: tuple[str, ...]) -> None:
    if not is_trained(sweep, run, folder):
        # Trials of the bundle that was there say nothing about the new one.
        for old in [folder / RECORD, *folder.glob("trials-*.json")]:
            old.unlink(missing_ok=True)
        results = trainer.train(run, folder)["results"]
        error = results["heldOutError"].get("reachRmsRad", float("nan"))
        print(f"  error held out {1000 * error:.1f} mrad, {results['cpuS']} s of CPU", flush=True)
    if sweep.evaluate is None:
        return
    for light in sweep.evaluate.lights:
        file = file_of(folder, sweep.evaluate, light)
        if not file.exists():
            camera = run.settings.reading.camera
            trials = evaluate(sweep.task, folder / BUNDLE, camera, sweep.evaluate, light, file, evaluator)
            print(f"  {light} light: {trials.successes} of {len(trials.success)}", flush=True)


def write_results(sweep: SweepPlan, out: Path) -> None:
    rows = collect(sweep, out)
    write_json(out / "results.json", as_json(sweep, rows))
    (out / "table.md").write_text(as_table(sweep, rows), encoding="utf-8")
    draw(sweep, rows, out / "results.png")
