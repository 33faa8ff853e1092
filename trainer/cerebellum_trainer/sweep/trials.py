"""Success of a bundle: the daemon's own `evaluate`, in simulated time, as a process of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.provenance import REPOSITORY
from cerebellum_trainer.samples import Reading
from cerebellum_trainer.sweep.plan import Evaluation, Light

COMMAND = (str(REPOSITORY / "cerebellum"), "evaluate")


@dataclass(frozen=True)
class Trials:
    """Trials of one bundle in one light, in the order of their positions."""

    light: Light
    seeds: tuple[int, ...]
    success: tuple[bool, ...]

    @property
    def successes(self) -> int:
        return sum(self.success)


def file_of(folder: Path, evaluation: Evaluation, light: Light) -> Path:
    cell = "" if evaluation.cell is None else f"-{evaluation.cell.stem}"
    return folder / f"trials-{light}-{evaluation.positions}-seed{evaluation.seed}{cell}.json"


def evaluate(
    task: str,
    bundle: Path,
    camera: str,
    evaluation: Evaluation,
    light: Light,
    file: Path,
    command: Sequence[str] = COMMAND,
) -> Trials:
    """Runs the trials, seen through the camera that the bundle was trained with, and keeps what the daemon
    says of them in `file`.

    Raises: TrainerError EVALUATION_FAILED with the last lines of what it said.
    """
    part = file.with_suffix(".part")
    arguments = {
        "--clock": "lockstep",
        "--bundle": str(bundle.absolute()),
        "--positions": str(evaluation.positions),
        "--seed": str(evaluation.seed),
        "--light": light,
        "--json": str(part.absolute()),
    }
    if evaluation.cell is not None:
        arguments["--cell"] = str(evaluation.cell)
    # A cell that is named may look through another camera than is usual.
    if evaluation.cell is not None or camera != Reading().camera:
        arguments["--camera"] = camera
    line = [*command, task, *(word for pair in arguments.items() for word in pair)]
    try:
        ended = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    except OSError as error:
        raise failed(bundle, str(error)) from error
    if ended.returncode != 0 or not part.exists():
        said = (ended.stderr + ended.stdout).strip().splitlines()[-3:]
        raise failed(bundle, " / ".join(said) or f"exit code {ended.returncode}")
    trials = parse_trials(part, evaluation, light)
    part.rename(file)
    return trials


def parse_trials(file: Path, evaluation: Evaluation, light: Light) -> Trials:
    """Raises: TrainerError EVALUATION_FAILED if it is no such result, or one of other trials."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        trials = sorted(found["trials"], key=lambda trial: trial["index"])
        read = Trials(
            light,
            tuple(int(trial["seed"]) for trial in trials),
            tuple(bool(trial["success"]) for trial in trials),
        )
        told = (found["clock"], found["light"], found["seed"], len(trials))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise failed(file, repr(error)) from error
    expected = ("lockstep", light, evaluation.seed, evaluation.positions)
    if told != expected:
        raise failed(file, f"it has (clock, light, seed, trials) {told} where {expected} is expected")
    return read


def failed(what: Path, why: str) -> TrainerError:
    return TrainerError(
        "EVALUATION_FAILED",
        f"The trials of {what} failed: {why}",
        "Try `./cerebellum evaluate TASK --clock lockstep --bundle DIR`; the sweep, repeated, goes on here",
    )
