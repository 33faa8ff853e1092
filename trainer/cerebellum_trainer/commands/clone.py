"""episodes -> controller and bundle."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import tyro

from cerebellum_trainer.bundle import ClonedPolicy, PolicyDescription, write_bundle
from cerebellum_trainer.checkpoint import Trained, save_controller
from cerebellum_trainer.clone import CloneConfig, clone, held_out_error
from cerebellum_trainer.commands.made import describe, joint_noise, said_actions
from cerebellum_trainer.commands.work import WORK
from cerebellum_trainer.controller import ControllerConfig
from cerebellum_trainer.dataset import read_dataset
from cerebellum_trainer.features import encoder_sha256, training_tokens
from cerebellum_trainer.frozen import open_encoder
from cerebellum_trainer.relight import Relighting
from cerebellum_trainer.runs import thinned, write_run
from cerebellum_trainer.samples import Reading
from cerebellum_trainer.variants.offer import ExportConfig


@dataclass(frozen=True)
class Clone:
    """Trains the controller on recorded episodes and writes the policy bundle."""

    episodes: tuple[Path, ...]
    """Folders of sets, each with episode-000001, episode-000002 and so on; several are read as one."""
    encoder: Path = WORK / "encoder" / "encoder.safetensors"
    """Frozen encoder: a file of the pretrain or import command, the folder of a policy bundle, or a name (see
    the encoders command)."""
    out: Path | None = None
    """Folder of the bundle; policies/bundles/TASK when none is named."""
    task: str = "reach-block"
    """Whose episodes are read; it names the bundle, too."""
    reading: tyro.conf.OmitArgPrefixes[Reading] = field(default_factory=Reading)
    controller: ControllerConfig = field(default_factory=ControllerConfig)
    recipe: CloneConfig = field(default_factory=CloneConfig)
    relighting: Relighting = field(default_factory=Relighting)
    policy: PolicyDescription = field(default_factory=PolicyDescription)
    export: ExportConfig = field(default_factory=ExportConfig)
    features: Path = WORK / "features"
    """Folder in which the encoder's tokens are kept, for the next run on the same pictures."""
    seed: int = 0
    """Of all chance: the same seed on the same computer gives the same result."""
    threads: int = 1
    """Of the CPU, for the arithmetic."""


def run_clone(config: Clone) -> Path:
    """Returns the bundle's folder."""
    torch.set_num_threads(config.threads)
    out = config.out or Path("policies/bundles") / config.task
    encoder, pretraining, preprocessing = open_encoder(config.encoder)
    dataset = read_dataset(
        config.episodes,
        config.task,
        config.reading,
        preprocessing,
        config.policy.rate_hz,
        config.recipe.stillness,
    )
    dataset.body.check_is_known()
    print(
        f"{dataset.episodes} episodes, {len(dataset.images)} frames of {dataset.body.name} "
        f"({len(dataset.body.joints)} joints)",
        flush=True,
    )
    tokens = training_tokens(
        encoder,
        dataset.images,
        dataset.sha256,
        dataset.preprocessing,
        config.reading.camera,
        config.relighting,
        config.seed,
        config.features,
        config.controller.feature,
    )
    started = time.monotonic()
    controller, losses = clone(
        tokens,
        dataset.state,
        dataset.action,
        dataset.hold,
        dataset.still,
        config.controller.fit(dataset.body),
        config.recipe,
        config.seed,
        dataset.body.is_compliant,
        dataset.moves_gripper,
    )
    results = {
        "wallS": round(time.monotonic() - started, 1),
        "episodes": dataset.episodes,
        "frames": len(dataset.images),
        "holdFrames": int(dataset.hold.sum()),
        "lossLast": losses[-1],
        "losses": thinned(losses),
        "trainingError": held_out_error(controller, tokens[0], dataset.state, dataset.action, dataset.hold),
    }
    notes = (
        f"Cloned from {said_actions(config.reading)}, seed {config.seed}, {config.recipe.epochs} epochs, "
        f"feature noise {config.recipe.feature_noise}{joint_noise(config.recipe, dataset)}; "
        f"encoder {encoder_sha256(encoder)[:12]} ({pretraining})."
    )
    made = describe(config, results, dataset, pretraining)
    trained = Trained(
        encoder_sha256=encoder_sha256(encoder),
        dataset_sha256=dataset.sha256,
        task=config.task,
        notes=notes,
        made=made,
        reading=json.dumps(asdict(config.reading)),
        policy=json.dumps(asdict(config.policy)),
        stillness=json.dumps(asdict(config.recipe.stillness)),
    )
    save_controller(controller, trained, config.features.parent / "controller.safetensors")
    policy = ClonedPolicy(
        encoder,
        pretraining,
        controller,
        dataset,
        config.task,
        config.reading.camera,
        config.policy,
        notes,
        made,
    )
    manifest = write_bundle(out, policy, config.export)
    results["parityMaxAbs"] = manifest["provenance"]["trainingParityMaxAbs"]
    inputs = {"dataset": dataset.sha256, "encoder": encoder_sha256(encoder)}
    write_run(config.features.parent / "clone.json", "clone", config, inputs, results)
    print(
        f"{results['episodes']} episodes, {results['frames']} frames, loss {losses[-1]:.4f}, "
        f"parity {results['parityMaxAbs']:.1e}, {out}"
    )
    return out
