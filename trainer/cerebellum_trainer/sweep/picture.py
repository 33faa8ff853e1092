"""A sweep as one PNG: success of each run with its interval, and the error on held-out frames."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cerebellum_trainer.sweep.plan import Light, SweepPlan
from cerebellum_trainer.sweep.results import Row

Panel = Light | Literal["error"]
NUMBER_AXIS = "demonstrations"
WIDTH_IN = 9.0
DPI = 90
MARKERS = "osD^vP*X"


def draw(sweep: SweepPlan, rows: list[Row], file: Path) -> None:
    """Lines over the number of demonstrations where the grid has several of it, else a dot for each run."""
    lights = sweep.evaluate.lights if sweep.evaluate else ()
    lines = lines_of(rows)
    panels: list[Panel] = [*lights, "error"]
    height_in = 3.4 if lines else 1.2 + 0.32 * len(rows)
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=not lines)[0]
    for panel, axis in zip(panels, axes, strict=True):
        if lines:
            draw_lines(axis, panel, lines)
        else:
            draw_dots(axis, panel, rows)
        axis.set_title("action error, held out [mrad]" if panel == "error" else f"success, {panel} light [%]")
        axis.grid(alpha=0.3)
    if lines:
        axes[0].legend(fontsize=8)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=DPI, metadata={"Software": None})


def lines_of(rows: list[Row]) -> dict[str, list[tuple[float, Row]]]:
    """Runs of the grid by what else is varied; empty when the number of demonstrations is not."""
    lines: dict[str, list[tuple[float, Row]]] = {}
    for row in rows:
        count = row.varied.get(NUMBER_AXIS)
        if isinstance(count, int):
            others = [str(value) for key, value in row.varied.items() if key != NUMBER_AXIS]
            lines.setdefault(", ".join(others) or "base", []).append((count, row))
    return lines if any(len(points) > 1 for points in lines.values()) else {}


def value_of(panel: Panel, row: Row) -> tuple[float, float, float] | None:
    """Value, and how far its interval reaches down and up; None where there is none yet."""
    if panel == "error":
        error = row.mean("heldOutError", "reachRmsRad")
        return None if error is None else (1000 * error, 0.0, 0.0)
    score = row.scores.get(panel)
    if score is None:
        return None
    rate = 100 * sum(score.success) / len(score.success)
    low, high = score.interval
    return rate, max(0.0, rate - 100 * low), max(0.0, 100 * high - rate)


def draw_lines(axis: Axes, panel: Panel, lines: dict[str, list[tuple[float, Row]]]) -> None:
    for place, (name, points) in enumerate(lines.items()):
        # Side by side, so that intervals at the same number can be told apart.
        shift = 0.8 * (place - (len(lines) - 1) / 2)
        found = [
            (count + shift, value)
            for count, row in sorted(points, key=by_count)
            if (value := value_of(panel, row))
        ]
        if found:
            axis.errorbar(
                [at for at, _ in found],
                [value for _, (value, _, _) in found],
                yerr=[[down for _, (_, down, _) in found], [up for _, (_, _, up) in found]],
                marker=MARKERS[place % len(MARKERS)],
                capsize=3 if panel != "error" else 0,
                label=name,
            )
    axis.set_xlabel(NUMBER_AXIS)
    axis.set_ylim(bottom=0)


def by_count(point: tuple[float, Row]) -> float:
    return point[0]


def draw_dots(axis: Axes, panel: Panel, rows: list[Row]) -> None:
    for place, row in enumerate(rows):
        value = value_of(panel, row)
        if value is not None:
            axis.errorbar(
                [value[0]], [place], xerr=[[value[1]], [value[2]]], marker="o", capsize=3, color="C0"
            )
    axis.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlim(left=0)
