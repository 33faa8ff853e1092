"""Held-out error of a policy beside the controls that a result must stand beside."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
import tyro

from cerebellum_trainer.clone import CloneConfig, clone, held_out_error
from cerebellum_trainer.commands.work import WORK
from cerebellum_trainer.controller import ControllerConfig, Feature
from cerebellum_trainer.dataset import read_dataset
from cerebellum_trainer.encoders.registry import untrained
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encoder_sha256, training_tokens
from cerebellum_trainer.frozen import open_encoder
from cerebellum_trainer.relight import Relighting
from cerebellum_trainer.runs import write_run
from cerebellum_trainer.samples import Reading


@dataclass(frozen=True)
class Report:
    """Held-out action error of the policy beside its controls: untrained encoder, class token; no bundle."""

    episodes: tuple[Path, ...]
    """Folders of sets, each with episode-000001, episode-000002 and so on; several are read as one."""
    encoder: Path = WORK / "encoder" / "encoder.safetensors"
    """As of the clone command."""
    out: Path = WORK / "report.json"
    """File for the table, as JSON."""
    task: str = "reach-block"
    """Whose episodes are read."""
    reading: tyro.conf.OmitArgPrefixes[Reading] = field(default_factory=Reading)
    rate_hz: float = 5.0
    """Of the policy [Hz]; actions "sent" are derived at it."""
    held_out: int = 8
    """Last episodes that are kept from training."""
    recipe: CloneConfig = field(default_factory=CloneConfig)
    relighting: Relighting = field(default_factory=Relighting)
    features: Path = WORK / "features"
    """Folder in which the encoder's tokens are kept, for the next run on the same pictures."""
    seed: int = 0
    """Of all chance: the same seed on the same computer gives the same result."""
    threads: int = 1
    """Of the CPU, for the arithmetic."""


def run_report(config: Report) -> dict:
    """Returns the table that it prints."""
    torch.set_num_threads(config.threads)
    trained, pretraining, preprocessing = open_encoder(config.encoder)
    random = untrained(lambda: type(trained)(trained.config), config.seed)
    data = read_dataset(
        config.episodes, config.task, config.reading, preprocessing, config.rate_hz, config.recipe.stillness
    )
    if not 0 < config.held_out < data.episodes:
        raise TrainerError(
            "DATASET_SMALL",
            f"{config.held_out} of {data.episodes} episodes held out leave nothing on one side",
            "Change --held-out or record more",
        )
    kept = data.episode < data.episodes - config.held_out
    rows = {}
    feature: Feature
    for name, encoder, feature in (
        (f"{pretraining}, patch tokens", trained, "patch-tokens"),
        ("untrained, patch tokens", random, "patch-tokens"),
        (f"{pretraining}, class token", trained, "class-token"),
    ):
        tokens = training_tokens(
            encoder,
            data.images,
            data.sha256,
            data.preprocessing,
            config.reading.camera,
            config.relighting,
            config.seed,
            config.features,
        )
        controller, _ = clone(
            tokens[:, kept],
            data.state[kept],
            data.action[kept],
            data.hold[kept],
            data.still[kept],
            ControllerConfig(feature=feature).fit(data.body),
            config.recipe,
            config.seed,
            moves_gripper=data.moves_gripper,
        )
        rows[name] = held_out_error(
            controller, tokens[0, ~kept], data.state[~kept], data.action[~kept], data.hold[~kept]
        )
        print(f"{name}: " + ", ".join(f"{key} {value:.4f}" for key, value in rows[name].items()), flush=True)
    write_run(
        config.out, "report", config, {"dataset": data.sha256, "encoder": encoder_sha256(trained)}, rows
    )
    return rows
