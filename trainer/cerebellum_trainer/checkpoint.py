"""A trained controller on disk (safetensors): weights, and in the header all that builds it again."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from cerebellum_trainer.controller import Controller, ControllerConfig, Scales
from cerebellum_trainer.errors import TrainerError

SCHEMA = "cerebellum/controller@1"


@dataclass(frozen=True)
class Trained:
    """What was trained, on what, and what a bundle's manifest and `made.md` are to say about it."""

    encoder_sha256: str
    dataset_sha256: str
    task: str
    notes: str
    made: str
    reading: str
    """How episodes were read: JSON of a `Reading`; so that they are read so again."""
    policy: str
    """JSON of a `PolicyDescription`."""
    stillness: str
    """JSON of a `Stillness`."""


def save_controller(controller: Controller, trained: Trained, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {
        "schema": SCHEMA,
        "config": json.dumps(asdict(controller.config)),
        **asdict(trained),
    }
    part = path.with_suffix(".part")
    save_file(
        {name: tensor.contiguous() for name, tensor in controller.state_dict().items()}, part, metadata=header
    )
    part.rename(path)


def load_controller(path: Path) -> tuple[Controller, Trained]:
    """In evaluation mode. Raises: TrainerError CHECKPOINT_UNREADABLE."""
    try:
        with safe_open(path, framework="pt") as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        if header.get("schema") != SCHEMA:
            raise ValueError(f"its schema is {header.get('schema')}, not {SCHEMA}")
        config = json.loads(header["config"])
        # Sizes are those of the buffers, and so are the scales.
        scales = Scales(
            tensors["feature_mean"],
            tensors["feature_std"],
            tensors["state_mean"],
            tensors["state_std"],
            tensors["action_scale"],
            tensors.get("action_offset"),
        )
        controller = Controller(
            ControllerConfig(**{**config, "hidden": tuple(config["hidden"])}),
            width=scales.feature_mean.shape[-1],
            grid=math.isqrt(len(tensors.get("image.places", [0]))),
            joints=len(scales.state_mean),
            scales=scales,
        )
        controller.load_state_dict(tensors)
        trained = Trained(**{name: header[name] for name in Trained.__dataclass_fields__})
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise TrainerError(
            "CHECKPOINT_UNREADABLE",
            f"{path} is no controller of this program: {error}",
            "Name the controller.safetensors that the clone command has left, or the folder of a bundle",
        ) from error
    return controller.eval().requires_grad_(False), trained
