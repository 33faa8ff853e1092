"""The study's tables and picture sheets, from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cerebellum_trainer.contrast.retrieval import retrieval_sheet
from cerebellum_trainer.contrast.study import QUERIES, Study
from cerebellum_trainer.contrast.variants import SINGLE_SPACES, SUPERVISED, UNTRAINED
from cerebellum_trainer.markdown import percent, table

Results = dict[str, dict[str, Any]]
# By the first word of a model's name; others are grey.
COLOURS = {"MoCo": "C0", "LooC": "C1", "LooC++": "C3"}
FAMILIES = ("noise", "blur", "weather", "digital")
# Title -> rows and columns. A column is the name of a measure.
TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "A rotation that is forgotten, and one that has a space (as table 3.1)": (
        (
            UNTRAINED,
            SUPERVISED,
            "MoCo",
            "MoCo + rotation",
            "MoCo + rotation, the same for both",
            "LooC, rotation",
            "LooC++, rotation",
        ),
        ("rotation", "shape", "shape, best 3"),
    ),
    "Tasks that need what an augmentation changes (as table 3.2)": (
        (
            UNTRAINED,
            "MoCo",
            "LooC, colour",
            "LooC, rotation",
            "LooC, colour and rotation",
            "LooC++, colour",
            "LooC++, rotation",
            "LooC++, colour and rotation",
        ),
        ("shape", "colour", "texture", "shape + texture", "shape + colour", "5-shot", "10-shot"),
    ),
    "Strange and damaged pictures, by the probe of whole ones (as table 3.3)": (
        (
            UNTRAINED,
            SUPERVISED,
            "MoCo",
            "LooC, colour",
            "LooC, rotation",
            "LooC, colour and rotation",
            "LooC++, colour and rotation",
        ),
        ("shape", "shape, strange", *FAMILIES, "all damage"),
    ),
    "All three augmentations (as table 3.4)": (
        (UNTRAINED, "MoCo", "MoCo, all three", "LooC, all three", "LooC++, all three"),
        ("shape", "colour", "texture", "rotation", "shape + colour", "shape + texture", "5-shot"),
    ),
}
SINGLE_COLUMNS = ("shape", "colour", "texture", "rotation", "shape + colour", "shape + texture", "5-shot")


def value(measured: dict[str, float], column: str) -> str:
    if column == "all damage":
        return percent(float(np.mean([measured[family] for family in FAMILIES])))
    error = measured.get(f"{column} error")
    return percent(measured[column]) + (f" ± {100 * error:.1f}" if error is not None else "")


def tables(results: Results) -> str:
    """Markdown; shares of right answers in percent. Models that were not trained have no row."""
    parts = []
    for title, (rows, columns) in TABLES.items():
        there = [name for name in rows if name in results]
        cells = [[name, *(value(results[name]["measured"], column) for column in columns)] for name in there]
        parts.append(f"**{title}**\n\n{table(('model', *columns), cells)}")
    if SINGLE_SPACES in results:
        result = results[SINGLE_SPACES]
        found = {**result["single"], "all of them, side by side": result["measured"]}
        cells = [[name, *(value(one, column) for column in SINGLE_COLUMNS)] for name, one in found.items()]
        title = f"The spaces of {SINGLE_SPACES}, one by one (as table 3.5)"
        parts.append(f"**{title}**\n\n{table(('space', *SINGLE_COLUMNS), cells)}")
    alike = {name: result["alike"] for name, result in results.items() if "alike" in result}
    if alike:
        cells = [[name, *(percent(share) for share in found.values())] for name, found in alike.items()]
        header = ("model", *next(iter(alike.values())))
        parts.append(f"**Nearest neighbours that have the query's label**\n\n{table(header, cells)}")
    ends = [(name, r["loss"], r["chance"]) for name, r in results.items() if "chance" in r]
    if ends:
        cells = [[name, f"{loss:.2f}", f"{chance:.2f}"] for name, loss, chance in ends]
        title = "How far contrast had come when it was stopped"
        parts.append(f"**{title}**\n\n{table(('model', 'loss', 'all embeddings alike'), cells)}")
    return "\n".join(parts)


def write_report(study: Study, results: Results, folder: Path) -> Path:
    """Writes tables.md, factors.png and, where there are neighbours, neighbours.png. Returns the first."""
    file = folder / "tables.md"
    file.write_text(tables(results), encoding="utf-8")
    if study.found:
        sheet = retrieval_sheet(
            study.sets.asked.images[:QUERIES], study.sets.known.images, study.found, zoom=2
        )
        sheet.save(folder / "neighbours.png", optimize=True)
    plot_factors(results, folder / "factors.png")
    return file


def plot_factors(results: Results, file: Path) -> None:
    """What each model keeps of the four factors."""
    # It takes a second to import.
    from matplotlib.figure import Figure

    factors = ("shape", "colour", "texture", "rotation")
    names = list(results)[::-1]
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    axes = figure.subplots(1, len(factors), sharey=True)
    for axis, factor in zip(axes, factors, strict=True):
        shares = [100 * results[name]["measured"][factor] for name in names]
        axis.barh(names, shares, color=[COLOURS.get(name.split()[0].rstrip(","), "0.6") for name in names])
        axis.set_title(f"{factor}, linear probe [%]", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.set_xlim(0, 100)
        axis.grid(axis="x", alpha=0.3)
    figure.savefig(file, dpi=90)
