"""checkpoint, or bundle, and episodes -> bundle in all the forms that are asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import tyro

from cerebellum_trainer.bundle import ClonedPolicy, PolicyDescription, write_bundle
from cerebellum_trainer.checkpoint import load_controller
from cerebellum_trainer.commands.work import WORK
from cerebellum_trainer.dataset import Dataset, read_dataset
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encoder_sha256
from cerebellum_trainer.frozen import open_encoder, preprocessing_of_bundle
from cerebellum_trainer.rebundle import export_again, read_manifest
from cerebellum_trainer.samples import Reading, Stillness
from cerebellum_trainer.variants.offer import ExportConfig


def every_form() -> ExportConfig:
    return ExportConfig(precisions=("int8", "fp32"), fused=True)


@dataclass(frozen=True)
class Export:
    """Writes a bundle in fp32 and int8, separate and fused, measured on recorded frames and gated."""

    episodes: tuple[Path, ...]
    """Folders of the sets whose frames precisions are compared on; of a checkpoint, those it learnt from."""
    source: Path = WORK / "controller.safetensors"
    """What clone has left, or the folder of a policy bundle, whose networks and goldens stay as they are."""
    encoder: Path = WORK / "encoder" / "encoder.safetensors"
    """Of a checkpoint: the frozen encoder that it was trained on."""
    out: Path | None = None
    """Folder of the bundle; policies/bundles/TASK when none is named."""
    reading: tyro.conf.OmitArgPrefixes[Reading] = field(default_factory=Reading)
    """Of a bundle: how its episodes are read. Camera and crop are the bundle's; a checkpoint knows it all."""
    export: ExportConfig = field(default_factory=every_form)
    threads: int = 1
    """Of the CPU, for the arithmetic."""


def run_export(config: Export) -> Path:
    """Returns the bundle's folder."""
    torch.set_num_threads(config.threads)
    return from_bundle(config) if config.source.is_dir() else from_checkpoint(config)


def from_checkpoint(config: Export) -> Path:
    controller, trained = load_controller(config.source)
    encoder, pretraining, preprocessing = open_encoder(config.encoder)
    found = encoder_sha256(encoder)
    if found != trained.encoder_sha256:
        raise TrainerError(
            "CHECKPOINT_MISMATCH",
            f"{config.source} was trained on encoder {trained.encoder_sha256[:12]}, "
            f"{config.encoder} is {found[:12]}",
            "Name the encoder that it was trained on with --encoder",
        )
    reading = parsed(Reading, trained.reading)
    description = parsed(PolicyDescription, trained.policy)
    stillness = parsed(Stillness, trained.stillness)
    dataset = read_dataset(
        config.episodes, trained.task, reading, preprocessing, description.rate_hz, stillness
    )
    if dataset.sha256 != trained.dataset_sha256:
        named = " and ".join(map(str, config.episodes))
        raise TrainerError(
            "DATASET_CHANGED",
            f"{config.source} was trained on data set {trained.dataset_sha256[:12]}, {named} is now "
            f"{dataset.sha256[:12]} ({dataset.episodes} episodes, {len(dataset.images)} frames)",
            "Name the sets that it was trained on, labelled, trimmed and dropped as it was, or clone again",
        )
    out = config.out or Path("policies/bundles") / trained.task
    policy = ClonedPolicy(
        encoder,
        pretraining,
        controller,
        dataset,
        trained.task,
        reading.camera,
        description,
        trained.notes,
        trained.made,
    )
    write_bundle(out, policy, config.export)
    print(out)
    return out


def from_bundle(config: Export) -> Path:
    manifest = read_manifest(config.source)
    image = manifest["image"]
    crop = image["crop"]
    reading = replace(
        config.reading,
        camera=image["role"],
        crop=(crop["xPx"], crop["yPx"], crop["widthPx"], crop["heightPx"]),
        gripper="gripper" in manifest["action"],
    )
    dataset = read_dataset(
        config.episodes,
        manifest["task"],
        reading,
        preprocessing_of_bundle(config.source),
        manifest["rateHz"],
        Stillness(0.0, 0.0),
    )
    check_fits(config.source, manifest, dataset)
    out = config.out or Path("policies/bundles") / manifest["task"]
    export_again(config.source, manifest, dataset, out, config.export)
    print(out)
    return out


def check_fits(source: Path, manifest: dict[str, Any], dataset: Dataset) -> None:
    """Raises: TrainerError DATASET_CHANGED if the episodes are of another robot or another camera size."""
    image, pose = manifest["image"], dataset.camera
    for what, expected, found in (
        ("joints", list(manifest["robot"]["joints"]), list(dataset.body.joints)),
        ("camera images of", [image["widthPx"], image["heightPx"]], [pose.width_px, pose.height_px]),
    ):
        if expected != found:
            raise TrainerError(
                "DATASET_CHANGED",
                f"Bundle {source} has {what} {expected}, the episodes have {found}",
                "Name episodes of the robot and camera that the policy is for (--robots for several robots)",
            )


def parsed(kind: type, text: str) -> Any:
    """A dataclass from its JSON, whose lists are tuples."""
    values = json.loads(text)
    return kind(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    )
