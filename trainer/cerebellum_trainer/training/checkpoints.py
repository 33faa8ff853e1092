"""Checkpoints that survive a kill at any moment.

    checkpoints/step-00000400-1f3a5c7e9b2d4f60.pt      weights, optimiser, losses; 1f3a… begins its SHA-256

One is written beside its place, brought to the disk and then renamed, so a file of that name is whole. Its
hash finds what happens to it later: PyTorch itself reads a damaged file without a word. Nothing is loaded but
tensors and plain values (`weights_only`).
"""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.runs import file_sha256

SCHEMA = "cerebellum/checkpoint@1"
NAME = re.compile(r"step-(\d{8})-([0-9a-f]{16})\.pt")


class Checkpoints:
    """Those of one run. `architecture` is plain data: all sizes on which the shapes of the weights depend."""

    def __init__(self, folder: Path, architecture: Mapping[str, Any], keep: int = 2) -> None:
        self.folder = folder
        self.architecture = json.loads(json.dumps(architecture))
        self.keep = keep

    def save(self, step: int, state: Mapping[str, Any]) -> Path:
        """Writes what is to be continued after `step` steps, then removes the oldest beyond `keep`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"step-{step:08d}.part"
        header = {"schema": SCHEMA, "step": step, "architecture": json.dumps(self.architecture)}
        with part.open("wb") as stream:
            torch.save({**header, **state}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        file = self.folder / f"step-{step:08d}-{file_sha256(part)[:16]}.pt"
        part.rename(file)
        sync_folder(self.folder)
        for old in self.files()[self.keep :]:
            old.unlink()
        return file

    def files(self) -> list[Path]:
        """The newest first."""
        if not self.folder.is_dir():
            return []
        return sorted((f for f in self.folder.iterdir() if NAME.fullmatch(f.name)), reverse=True)

    def newest(self) -> Path | None:
        return next(iter(self.files()), None)

    def restore(self, device: torch.device) -> tuple[dict[str, Any] | None, list[str]]:
        """The newest one that is whole, None before the first; and a remark for each one that is damaged.

        Raises: TrainerError CHECKPOINT_UNREADABLE if there are some and all are damaged, CHECKPOINT_OTHER if
            it is of another architecture, naming what differs.
        """
        remarks: list[str] = []
        files = self.files()
        for file in files:
            state = read_whole(file, device)
            if state is not None:
                self._check(file, state)
                return state, remarks
            remarks.append(f"{file.name} is damaged")
        if files:
            raise TrainerError(
                "CHECKPOINT_UNREADABLE",
                f"No checkpoint in {self.folder} is whole ({', '.join(f.name for f in files)})",
                "Begin another run in another folder",
            )
        return None, remarks

    def _check(self, file: Path, state: Mapping[str, Any]) -> None:
        if state.get("schema") != SCHEMA:
            raise TrainerError(
                "CHECKPOINT_OTHER",
                f"{file} is of form {state.get('schema')}, not {SCHEMA}",
                "Continue with the version that wrote it",
            )
        differing = differences(json.loads(state["architecture"]), self.architecture)
        if differing:
            raise TrainerError(
                "CHECKPOINT_OTHER",
                f"{file} is of another architecture: {'; '.join(differing)}",
                "Name the sizes that it was made with, or begin another run in another folder",
            )


def read_whole(file: Path, device: torch.device) -> dict[str, Any] | None:
    """None if the file is damaged."""
    named = NAME.fullmatch(file.name)
    try:
        if named is None or not file_sha256(file).startswith(named[2]):
            return None
        state = torch.load(file, map_location=device, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError):
        return None
    return state if isinstance(state, dict) else None


def differences(found: Any, expected: Any, name: str = "") -> list[str]:
    """Fields of two JSON values that differ, in words: `vit.width is 192 there, 384 here`."""
    if isinstance(found, dict) and isinstance(expected, dict):
        keys = dict.fromkeys([*found, *expected])
        below = f"{name}." if name else ""
        return [
            line for key in keys for line in differences(found.get(key), expected.get(key), f"{below}{key}")
        ]
    return [] if found == expected else [f"{name} is {json.dumps(found)} there, {json.dumps(expected)} here"]


def sync_folder(folder: Path) -> None:
    """Brings a new name to the disk, not only what it names."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
