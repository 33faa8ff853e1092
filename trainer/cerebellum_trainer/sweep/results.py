"""What came of a sweep, as rows: one for each set of settings, over its seeds; and the same as a page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cerebellum_trainer.sweep.plan import Light, Run, SweepPlan
from cerebellum_trainer.sweep.statistics import mcnemar_p, wilson_interval
from cerebellum_trainer.sweep.training import RECORD
from cerebellum_trainer.sweep.trials import Trials, file_of, parse_trials

SCHEMA = "cerebellum/sweep-results@1"


@dataclass(frozen=True)
class Paired:
    """Against the reference, trial by trial."""

    with_name: str
    only_this: int
    only_reference: int
    p: float
    # Neither 95 % interval reaches into the other.
    is_disjoint: bool


@dataclass
class Score:
    """Of one light, over all seeds that have run."""

    success: list[bool] = field(default_factory=list)
    paired: Paired | None = None

    @property
    def interval(self) -> tuple[float, float]:
        return wilson_interval(sum(self.success), len(self.success))


@dataclass
class Row:
    name: str
    varied: dict[str, object]
    seeds: list[int] = field(default_factory=list)
    records: list[dict] = field(default_factory=list)
    scores: dict[Light, Score] = field(default_factory=dict)

    def mean(self, *keys: str) -> float | None:
        """Mean over seeds of a number in the records' results; None where one is missing."""
        found = [dig(record["results"], keys) for record in self.records]
        there = [value for value in found if value is not None]
        return None if not there or len(there) < len(found) else sum(there) / len(there)


def dig(values: Any, keys: tuple[str, ...]) -> float | None:
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def collect(sweep: SweepPlan, out: Path) -> list[Row]:
    """Rows of all runs that are there, in the order of the plan."""
    runs = sweep.runs()
    trials = {run.folder: trials_of(sweep, out / run.folder) for run in runs}
    rows: dict[str, Row] = {}
    for run in runs:
        record = out / run.folder / RECORD
        if not record.exists():
            continue
        row = rows.setdefault(run.name, Row(run.name, run.varied))
        row.seeds.append(run.seed)
        row.records.append(json.loads(record.read_text(encoding="utf-8")))
        for light, found in trials[run.folder].items():
            row.scores.setdefault(light, Score()).success.extend(found.success)
    for row in rows.values():
        for light, score in row.scores.items():
            score.paired = paired(sweep, runs, row, light, trials)
    return list(rows.values())


def trials_of(sweep: SweepPlan, folder: Path) -> dict[Light, Trials]:
    if sweep.evaluate is None:
        return {}
    files = {light: file_of(folder, sweep.evaluate, light) for light in sweep.evaluate.lights}
    return {
        light: parse_trials(file, sweep.evaluate, light) for light, file in files.items() if file.exists()
    }


def paired(
    sweep: SweepPlan, runs: list[Run], row: Row, light: Light, trials: dict[str, dict[Light, Trials]]
) -> Paired | None:
    """Over the seeds of which both have run."""
    this: list[bool] = []
    other: list[bool] = []
    name = ""
    for run in runs:
        reference = sweep.reference_of(run, runs) if run.name == row.name else None
        if reference is None:
            continue
        mine, its = trials[run.folder].get(light), trials[reference.folder].get(light)
        if mine is not None and its is not None:
            name = reference.name
            this += mine.success
            other += its.success
    if not this:
        return None
    low, high = wilson_interval(sum(this), len(this))
    other_low, other_high = wilson_interval(sum(other), len(other))
    return Paired(
        name,
        sum(a and not b for a, b in zip(this, other, strict=True)),
        sum(b and not a for a, b in zip(this, other, strict=True)),
        mcnemar_p(this, other),
        low > other_high or high < other_low,
    )


def as_json(sweep: SweepPlan, rows: list[Row]) -> dict:
    return {
        "schema": SCHEMA,
        "sweep": sweep.name,
        "task": sweep.task,
        "planned": len({run.name for run in sweep.runs()}),
        "rows": [
            {
                "name": row.name,
                "varied": row.varied,
                "seeds": row.seeds,
                "demonstrations": row.mean("demonstrations"),
                "frames": row.mean("frames"),
                "heldOutReachRmsRad": row.mean("heldOutError", "reachRmsRad"),
                "trainingReachRmsRad": row.mean("trainingError", "reachRmsRad"),
                "cpuS": row.mean("cpuS"),
                "trials": {light: score_json(score) for light, score in row.scores.items()},
            }
            for row in rows
        ],
    }


def score_json(score: Score) -> dict:
    low, high = score.interval
    found = {
        "successes": sum(score.success),
        "trials": len(score.success),
        "interval95": {"low": low, "high": high},
    }
    if score.paired is not None:
        found["paired"] = {
            "with": score.paired.with_name,
            "onlyThis": score.paired.only_this,
            "onlyReference": score.paired.only_reference,
            "mcnemarP": score.paired.p,
            "intervalsDisjoint": score.paired.is_disjoint,
        }
    return found


def as_table(sweep: SweepPlan, rows: list[Row]) -> str:
    """Markdown. Errors in milliradians, of the frames on the way; success with Wilson's 95 % interval."""
    lights = sweep.evaluate.lights if sweep.evaluate else ()
    head = ["run", "demonstrations (frames)", "error held out (trained on), mrad", "CPU s"]
    head += [f"success, {light} light" for light in lights]
    if sweep.reference:
        named = sweep.reference
        head.append(f"against {named if isinstance(named, str) else ', '.join(map(str, named.values()))}")
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [
            row.name,
            f"{number(row.mean('demonstrations'))} ({number(row.mean('frames'))})",
            f"{millis(row.mean('heldOutError', 'reachRmsRad'))} "
            f"({millis(row.mean('trainingError', 'reachRmsRad'))})",
            number(row.mean("cpuS")),
            *(success_text(row.scores.get(light)) for light in lights),
        ]
        if sweep.reference:
            cells.append("; ".join(paired_text(light, row.scores.get(light)) for light in lights))
        lines.append(cells)
    seeds = sorted({seed for row in rows for seed in row.seeds})
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{body}\n\nSeeds: {', '.join(map(str, seeds)) or 'none yet'}.\n"


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def millis(value: float | None) -> str:
    return "" if value is None else f"{1000 * value:.1f}"


def success_text(score: Score | None) -> str:
    if score is None:
        return ""
    low, high = score.interval
    return f"{sum(score.success)} of {len(score.success)} [{100 * low:.0f}, {100 * high:.0f} %]"


def paired_text(light: Light, score: Score | None) -> str:
    """Trials that only one of the two did, and what that says."""
    if score is None or score.paired is None:
        return ""
    paired = score.paired
    disjoint = ", intervals apart" if paired.is_disjoint else ""
    return f"{light}: +{paired.only_this} -{paired.only_reference}, p {paired.p:.2g}{disjoint}"
