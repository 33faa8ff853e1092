"""The page `made.md` of a cloned bundle: how it came about, for people."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from cerebellum_trainer import VERSION
from cerebellum_trainer.bundle import DESCRIPTIONS
from cerebellum_trainer.clone import CloneConfig
from cerebellum_trainer.dataset import Dataset
from cerebellum_trainer.encoders.registry import is_name
from cerebellum_trainer.samples import Reading

if TYPE_CHECKING:
    from cerebellum_trainer.commands.clone import Clone


ACTIONS = {
    "label": "the teacher's clean command of each step",
    "sent": "what was sent one period after the image, minus the position measured at its time",
    "motion": "the position measured one period after the image, minus that at its time",
    "path": "where the robot was led next, a whole step or as far as it came, minus the position measured",
}


def said_actions(reading: Reading) -> str:
    said = ACTIONS[reading.actions]
    if reading.actions in ("sent", "motion") and reading.lead_ms > 0:
        said += f", {reading.lead_ms:g} ms further ahead"
    if reading.actions == "path":
        steps = f"{reading.step_rad:g} rad (fingers {reading.finger_step_rad:g})"
        said += f", steps of {steps} within {reading.path_s:g} s"
    if reading.actions != "label" and reading.phases > 1:
        said += f", on {reading.phases} grids within a period"
    if reading.gripper:
        said += "; of the gripper the opening to ask for"
    return said


def options(given: Any, prefix: str = "--") -> list[str]:
    """Command-line options of all that is not as it is by default, nested ones with their prefix."""
    said: list[str] = []
    for one in fields(given):
        value = getattr(given, one.name)
        name = prefix + one.name.replace("_", "-")
        usual = one.default if one.default_factory is MISSING else one.default_factory()
        if is_dataclass(value):
            said += options(value, f"{name}.")
        elif value == usual or value is None:
            continue
        elif isinstance(value, bool):
            said.append(name if value else f"{prefix}no-{name[len(prefix) :]}")
        elif isinstance(value, (tuple, list)):
            said.append(" ".join([name, *map(str, value)]))
        else:
            said.append(f"{name} {value}")
    return said


def _command(config: Clone) -> str:
    encoder = _named(config.encoder)
    nested = (
        ("recipe", config.recipe),
        ("controller", config.controller),
        ("relighting", config.relighting),
        ("export", config.export),
    )
    said = [
        f"./cerebellum train clone --task {config.task} --episodes FOLDER --encoder {encoder}",
        *options(config.reading),
        *(option for name, given in nested for option in options(given, f"--{name}.")),
        *options(config.policy, "--policy."),
    ]
    return " ".join([*said, f"--seed {config.seed}"])


def joint_noise(recipe: CloneConfig, dataset: Dataset) -> str:
    """What is added to where joints seem to be, when anything is."""
    fingers = recipe.finger_noise_rad if any(dataset.body.is_compliant) else 0
    named = (("finger", fingers), ("joint", recipe.joint_noise_rad))
    return "".join(f", {name} noise {noise:g} rad" for name, noise in named if noise)


def describe(config: Clone, results: dict, dataset: Dataset, pretraining: str) -> str:
    """The page `made.md`: how the bundle came about, for people."""
    pretrain_record = config.encoder.parent / "run.json"
    import_record = config.encoder.with_suffix(".json")
    if is_name(config.encoder):
        how = f"encoder {config.encoder}, which the trainer has at hand"
    elif config.encoder.is_dir():
        how = f"that of bundle {config.encoder.name}, whose encoder this is"
    elif import_record.exists():
        how = _describe_import(import_record)
    elif pretrain_record.exists():
        how = _describe_pretraining(pretrain_record)
    else:
        how = "no record beside the encoder"
    lights = "one light" if config.relighting.copies == 0 else f"{1 + config.relighting.copies} lights"
    lines = [
        f"# {config.policy.name or config.task}",
        "",
        config.policy.description or DESCRIPTIONS.get(config.task, f"Does {config.task}."),
        "",
        f"- Demonstrations: {dataset.episodes} successful episodes, {len(dataset.images)} frames "
        f"({results['holdFrames']} of them standing still at the end); data set `{dataset.sha256}`.",
        f"- Actions: {said_actions(config.reading)}.",
        f"- Encoder: frozen, pre-training {pretraining}, feature {config.controller.feature}.",
        f"- Pre-training: {how}.",
        f"- Controller: {config.recipe.epochs} epochs, batch {config.recipe.batch}, feature noise "
        f"{config.recipe.feature_noise}{joint_noise(config.recipe, dataset)}, each frame in "
        f"{lights}, seed {config.seed}, {results['wallS']} s; last loss "
        f"{results['lossLast']:.4f} (squared deviations of the action).",
        f"- Made by cerebellum-trainer {VERSION}, torch {torch.__version__}.",
        "",
        f"To make it again: `{_command(config)}`.",
        "",
    ]
    return "\n".join(lines)


def _named(encoder: Path) -> str:
    if is_name(encoder):
        return str(encoder)
    return "BUNDLE" if encoder.is_dir() else "FILE"


def _describe_import(record: Path) -> str:
    found = json.loads(record.read_text(encoding="utf-8"))
    results, checkpoint = found["results"], Path(found["config"]["checkpoint"]).name
    sha256 = found["inputs"]["checkpoint"][:12]
    return f"that of {checkpoint} ({results['kind']}, {results['heads']} heads), sha256 {sha256}"


def _describe_pretraining(record: Path) -> str:
    found = json.loads(record.read_text(encoding="utf-8"))
    recipe, results = found["config"]["mae"], found["results"]
    return (
        f"{recipe['images']} images from a corpus of {results['corpusImages']}, mask "
        f"{recipe['mask_share']:.0%}, loss {results['lossFirst']:.3f} to {results['lossLast']:.3f}, "
        f"{results['wallS']} s"
    )
