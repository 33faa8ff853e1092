"""What a sweep consists of: its YAML file as checked data, and the runs that follow from it.

base      settings that all runs share (those of `train clone`, by the same names)
grid      lists of values for some settings; every combination is a run
variants  named changes of the base, one run each: ablations
seeds     each run once with each of them
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from cerebellum_trainer.clone import CloneConfig
from cerebellum_trainer.controller import ControllerConfig
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.finetune import FineTuning
from cerebellum_trainer.records import EDITS_FILE
from cerebellum_trainer.relight import Relighting
from cerebellum_trainer.runs import file_sha256
from cerebellum_trainer.samples import Reading
from cerebellum_trainer.sweep.settings import changed, parsed, refused

SCHEMA = "cerebellum/sweep@1"
Light = Literal["training", "changed"]


@dataclass(frozen=True)
class EncoderSource:
    """One of the encoders that are compared: a file or bundle, or the same sizes with random weights."""

    path: Path | None = None
    """A file of pretrain or import, or the folder of a policy bundle."""
    like: str | None = None
    """Another encoder of this sweep, whose sizes and preprocessing it has: its own weights are random."""
    seed: int = 1
    """Of random weights."""
    trained: bool = False
    """Trained with the controller: from scratch, or on from what `path` holds. Frozen otherwise."""

    def __post_init__(self) -> None:
        if (self.path is None) == (self.like is None):
            raise ValueError("an encoder has either `path` or `like`")


@dataclass(frozen=True)
class Settings:
    """All that makes a policy, but the seed."""

    encoder: str
    demonstrations: int | None = None
    """So many of those not held out; the first ones of one fixed order, so that fewer are part of more."""
    reading: Reading = field(default_factory=Reading)
    recipe: CloneConfig = field(default_factory=CloneConfig)
    controller: ControllerConfig = field(default_factory=ControllerConfig)
    relighting: Relighting = field(default_factory=Relighting)
    finetuning: FineTuning = field(default_factory=FineTuning)
    """Only of encoders that are trained."""


@dataclass(frozen=True)
class Evaluation:
    """Trials of every bundle in the lab in simulated time, at the same positions and scenes."""

    positions: int = 16
    seed: int = 4242
    lights: tuple[Light, ...] = ("training",)
    cell: Path | None = None
    """Cell file, or the name of a shipped one, as `--cell` takes it; the task's own when none is named."""


@dataclass(frozen=True)
class Run:
    name: str
    settings: Settings
    seed: int
    # The settings that set it apart, for the table's columns and the picture's axes.
    varied: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """A name of its own: other settings under the same name are another run."""
        content = json.dumps([dataclasses.asdict(self.settings), self.seed], sort_keys=True, default=str)
        slug = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        return f"{slug}-seed{self.seed}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class SweepPlan:
    name: str
    episodes: tuple[Path, ...]
    """Folders of sets, relative to the file; together they are one set of demonstrations."""
    encoders: dict[str, EncoderSource]
    base: Settings
    task: str = "reach-block"
    rate_hz: float = 5.0
    held_out: int = 8
    """Episodes that no run is trained on."""
    seeds: tuple[int, ...] = (0,)
    grid: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)
    evaluate: Evaluation | None = None
    reference: str | dict[str, Any] = ""
    """What a run is compared with in pairs: the run of this name, or that which differs from it in these
    settings alone."""

    def runs(self) -> list[Run]:
        """Raises: TrainerError SWEEP_INVALID for a setting that there is not."""
        chosen: list[tuple[str, Settings, dict[str, Any]]] = []
        if self.grid or not self.variants:
            for values in itertools.product(*self.grid.values()):
                varied = dict(zip(self.grid, values, strict=True))
                name = ", ".join(said(key, value) for key, value in varied.items()) or "base"
                chosen.append((name, changed(self.base, varied, "grid"), varied))
        for name, changes in self.variants.items():
            settings = changed(self.base, changes, f"variants.{name}")
            chosen.append((name, settings, {"variant": name}))
        for name, settings, _ in chosen:
            if settings.encoder not in self.encoders:
                raise refused(name, settings.encoder, f"one of {', '.join(self.encoders)}")
        return [
            Run(name, self.that_count(settings), seed, varied)
            for name, settings, varied in chosen
            for seed in self.seeds
        ]

    def that_count(self, settings: Settings) -> Settings:
        """Without what is said of trained encoders where the encoder is frozen: another budget for those
        makes no frozen run due again.
        """
        is_trained = self.encoders[settings.encoder].trained
        return settings if is_trained else dataclasses.replace(settings, finetuning=FineTuning())

    def inputs_of(self, run: Run) -> str:
        """Hash of what lies on the disk: which episodes there are and what was decided about them, and the
        encoder's files. Recordings never change, so their names and sizes tell enough.
        """
        digest = hashlib.sha256()
        for folder in self.episodes:
            for file in sorted(folder.glob("episode-*/*.mcap")):
                digest.update(f"{file.relative_to(folder)} {file.stat().st_size} ".encode())
            edits = folder / EDITS_FILE
            digest.update(edits.read_bytes() if edits.exists() else b"")
        source = self.encoders[run.settings.encoder]
        path = source.path or self.encoders[source.like or ""].path
        files = sorted(path.glob("*")) if path and path.is_dir() else [path]
        for file in filter(None, files):
            if file.is_file():
                digest.update(file_sha256(file).encode())
        return digest.hexdigest()

    def reference_of(self, run: Run, runs: list[Run]) -> Run | None:
        """The run to compare with, of the same seed; None for the reference itself."""
        if isinstance(self.reference, str):
            found = (r for r in runs if r.name == self.reference)
        else:
            wanted = self.that_count(changed(run.settings, self.reference, "reference"))
            found = (r for r in runs if r.settings == wanted)
        return next((r for r in found if r.seed == run.seed and r.folder != run.folder), None)


def beside(folder: Path, path: Path) -> Path:
    """Relative to the sweep's file where it is there; else as it is: encoders and cells may go by a name."""
    return folder / path if (folder / path).exists() else path


def placed(evaluation: Evaluation, folder: Path) -> Evaluation:
    """The daemon's `evaluate` runs in another folder than the sweep's file lies in."""
    if evaluation.cell is None:
        return evaluation
    cell = beside(folder, evaluation.cell)
    return dataclasses.replace(evaluation, cell=cell.absolute() if cell.exists() else cell)


def said(key: str, value: Any) -> str:
    """A grid's value in a run's name: texts alone, numbers with what they count."""
    return str(value) if isinstance(value, str) else f"{value} {key.split('.')[-1]}"


def read_sweep(path: Path) -> SweepPlan:
    """Raises: TrainerError SWEEP_INVALID, naming what is wrong and where."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TrainerError("SWEEP_INVALID", f"{path} cannot be read: {error}", "Correct the file") from error
    if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
        raise refused(str(path), content if not isinstance(content, dict) else "schema", f"schema: {SCHEMA}")
    sweep = parsed(SweepPlan, content, path.name)
    here = path.parent
    sources = {
        name: source if source.path is None else dataclasses.replace(source, path=beside(here, source.path))
        for name, source in sweep.encoders.items()
    }
    for name, source in sources.items():
        if source.like is not None and sources.get(source.like, source).path is None:
            raise refused(f"encoders.{name}.like", source.like, "an encoder with a path")
    found = dataclasses.replace(
        sweep,
        encoders=sources,
        episodes=tuple(here / folder for folder in sweep.episodes),
        evaluate=sweep.evaluate and placed(sweep.evaluate, here),
    )
    runs = found.runs()
    if isinstance(found.reference, str) and found.reference not in {"", *(run.name for run in runs)}:
        raise refused("reference", found.reference, "the name of a run")
    if (
        isinstance(found.reference, dict)
        and found.reference.get("encoder", runs[0].settings.encoder) not in sources
    ):
        raise refused("reference.encoder", found.reference["encoder"], f"one of {', '.join(sources)}")
    names = [run.folder for run in runs]
    if len(set(names)) < len(names):
        twice = next(run.name for run in runs if names.count(run.folder) > 1)
        raise TrainerError("SWEEP_INVALID", f'Two runs are the same: "{twice}"', "Leave one of them out")
    return found
