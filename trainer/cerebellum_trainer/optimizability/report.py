"""The comparison's tables and plots, from its outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cerebellum_trainer.intervals import wilson
from cerebellum_trainer.markdown import percent, table
from cerebellum_trainer.optimizability.edf import NEAR, edf, paired_difference, summary
from cerebellum_trainer.optimizability.plan import INTERVALS, OPTIMISERS, STEMS, Interval, PlanConfig, Stem
from cerebellum_trainer.optimizability.trials import Outcome
from cerebellum_trainer.pictures.classify import Optimiser

COLOURS = {"ViT_P": "C0", "ViT_C": "C3"}
DASHES = {"adamw": "-", "sgd": "--"}
NAMES = {"adamw": "AdamW", "sgd": "SGD"}


@dataclass(frozen=True)
class Found:
    """Outcomes of the plan's three parts."""

    plan: PlanConfig
    random: list[Outcome]
    lengths: list[Outcome]
    peaks: list[Outcome]

    def errors(self, outcomes: list[Outcome], stem: Stem, optimiser: Optimiser) -> np.ndarray:
        """In the order of the trials."""
        kept = [o.error for o in outcomes if (o.trial.stem, o.trial.optimiser) == (stem, optimiser)]
        return np.array(kept)


def edf_table(found: Found) -> str:
    header = (
        "stem",
        "optimiser",
        "runs",
        "diverged",
        "best",
        "median",
        "90 %",
        "median less best",
        f"within {100 * NEAR:.0f} points of the best",
    )
    rows = []
    for optimiser in OPTIMISERS:
        for stem in STEMS:
            errors = found.errors(found.random, stem, optimiser)
            mine = [o for o in found.random if (o.trial.stem, o.trial.optimiser) == (stem, optimiser)]
            told = summary(errors)
            rows.append(
                (
                    stem,
                    NAMES[optimiser],
                    str(len(errors)),
                    str(sum(o.diverged for o in mine)),
                    *(percent(v) for v in (told.best, told.median, told.worst_tenth, told.spread)),
                    f"{100 * told.near:.0f} %",
                )
            )
    return table(header, rows)


def paired_table(found: Found) -> str:
    header = ("optimiser", "ViT_C better", "median, ViT_C less ViT_P", "median less best, ViT_C less ViT_P")
    rows = []
    for optimiser in OPTIMISERS:
        patchify, stem = (found.errors(found.random, name, optimiser) for name in STEMS)
        wins = int((stem < patchify).sum())
        low, high = wilson(wins / len(stem), len(stem))
        told = paired_difference(patchify, stem, found.plan.seed)
        cells = [f"{100 * v:+.1f} ({100 * lo:+.1f} to {100 * hi:+.1f})" for v, lo, hi in told.values()]
        rows.append(
            (NAMES[optimiser], f"{wins} of {len(stem)} ({100 * low:.0f} to {100 * high:.0f} %)", *cells)
        )
    return table(header, rows)


def length_table(found: Found) -> str:
    """Errors by training length; in brackets how far behind the longest run."""
    epochs = [found.plan.epochs * length for length in found.plan.lengths]
    header = ("stem", "optimiser", *(f"{e:g} epochs" for e in epochs))
    rows = []
    for stem in STEMS:
        for optimiser in OPTIMISERS:
            errors = found.errors(found.lengths, stem, optimiser)
            cells = [f"{percent(e)} ({100 * (e - errors[-1]):+.1f})" for e in errors]
            rows.append((stem, NAMES[optimiser], *cells))
    return table(header, rows)


def optimiser_table(found: Found) -> str:
    """What SGD loses against AdamW at each length."""
    epochs = [found.plan.epochs * length for length in found.plan.lengths]
    rows = []
    for stem in STEMS:
        adamw, sgd = (found.errors(found.lengths, stem, optimiser) for optimiser in OPTIMISERS)
        rows.append((stem, *(f"{100 * gap:+.1f}" for gap in sgd - adamw)))
    return table(("stem", *(f"{e:g} epochs" for e in epochs)), rows)


def peak_table(found: Found) -> str:
    rows = []
    for stem in STEMS:
        outcomes = [o for o in found.peaks if o.trial.stem == stem]
        errors = np.array([o.error for o in outcomes])
        trial = outcomes[0].trial
        rows.append(
            (
                stem,
                f"{trial.learning_rate:.1e}",
                f"{trial.weight_decay:.1e}",
                f"{trial.epochs:g}",
                f"{percent(float(errors.mean()))} ({', '.join(percent(e) for e in errors)})",
            )
        )
    return table(("stem", "learning rate", "weight decay", "epochs", "error (of each seed)"), rows)


SECTIONS = {
    "Random learning rate and weight decay": edf_table,
    "The same settings, pair by pair": paired_table,
    "Training length": length_table,
    "SGD less AdamW": optimiser_table,
    "Peak": peak_table,
}


def write_report(found: Found, folder: Path) -> Path:
    """Writes tables.md, edf.png, settings.png and lengths.png. Returns the first."""
    file = folder / "tables.md"
    text = "\n".join(f"**{title}** (error in percent)\n\n{make(found)}" for title, make in SECTIONS.items())
    file.write_text(text, encoding="utf-8")
    plot_edf(found, folder / "edf.png")
    plot_settings(found, folder / "settings.png")
    plot_lengths(found, folder / "lengths.png")
    return file


def plot_edf(found: Found, file: Path) -> None:
    # It takes a second to import.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    for axis, optimiser in zip(figure.subplots(1, 2, sharey=True), OPTIMISERS, strict=True):
        for stem in STEMS:
            errors, shares = edf(found.errors(found.random, stem, optimiser))
            axis.step([*100 * errors, 100], [*shares, 1], where="post", color=COLOURS[stem], label=stem)
        axis.set(title=NAMES[optimiser], xlabel="error [%]", xlim=(0, 95), ylim=(0, 1.02))
        axis.grid(alpha=0.3)
    figure.axes[0].set_ylabel("share of random settings")
    figure.axes[0].legend()
    figure.savefig(file, dpi=90)


def plot_settings(found: Found, file: Path) -> None:
    """Errors over the learning rate, and over the weight decay."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    figure = Figure(figsize=(8, 5.2), layout="constrained")
    grid = figure.subplots(2, 2, sharey=True)
    for row, optimiser in zip(grid, OPTIMISERS, strict=True):
        for axis, field in zip(row, ("learning_rate", "weight_decay"), strict=True):
            for stem in STEMS:
                mine = [o for o in found.random if (o.trial.stem, o.trial.optimiser) == (stem, optimiser)]
                axis.scatter(
                    [getattr(o.trial, field) for o in mine],
                    [100 * o.error for o in mine],
                    s=14,
                    color=COLOURS[stem],
                    label=stem,
                )
            drawn: Interval = getattr(INTERVALS[optimiser], field)
            axis.set(xscale="log", xlabel=f"{field.replace('_', ' ')}, {NAMES[optimiser]}")
            axis.set(xlim=(drawn.low / 1.1, drawn.high * 1.1))
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.grid(alpha=0.3)
        row[0].set_ylabel("error [%]")
    grid[0][0].legend()
    figure.savefig(file, dpi=90)


def plot_lengths(found: Found, file: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.4), layout="constrained")
    axis = figure.subplots()
    epochs = [found.plan.epochs * length for length in found.plan.lengths]
    for stem in STEMS:
        for optimiser in OPTIMISERS:
            errors = 100 * found.errors(found.lengths, stem, optimiser)
            axis.plot(
                epochs,
                errors,
                DASHES[optimiser],
                marker="o",
                color=COLOURS[stem],
                label=f"{stem}, {NAMES[optimiser]}",
            )
    axis.set(xscale="log", xlabel="epochs", ylabel="error [%]", xticks=epochs)
    axis.set_xticks(epochs, [f"{e:g}" for e in epochs])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.savefig(file, dpi=90)
