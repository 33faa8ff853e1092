"""What a run leaves behind: one JSON file with its configuration, seeds, versions, hashes and results."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cerebellum_trainer import VERSION

SCHEMA = "cerebellum/training-run@1"
PACKAGES = ("torch", "numpy", "onnx", "onnxruntime", "mcap", "pillow", "safetensors")


def versions() -> dict[str, str]:
    found = {name: version(name) for name in PACKAGES}
    return {"trainer": VERSION, "python": platform.python_version(), **found}


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def describe_run(command: str, config: Any, inputs: dict[str, str]) -> dict[str, Any]:
    """What is known before a run. `inputs` maps a name to a hash; `config` is a dataclass."""
    return {
        "schema": SCHEMA,
        "command": command,
        "config": json.loads(json.dumps(dataclasses.asdict(config), default=str)),
        "versions": versions(),
        "machine": {"system": platform.system(), "processor": platform.machine()},
        "inputs": inputs,
    }


def write_run(path: Path, command: str, config: Any, inputs: dict[str, str], results: dict[str, Any]) -> dict:
    """Writes and returns the record."""
    record = {**describe_run(command, config, inputs), "results": results}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")
    return record


def thinned(losses: list[float], points: int = 100) -> list[float]:
    """Means over at most `points` equal stretches, so that a curve fits in a record."""
    stride = max(1, -(-len(losses) // points))
    return [
        round(sum(part) / len(part), 6)
        for part in (losses[at : at + stride] for at in range(0, len(losses), stride))
    ]
