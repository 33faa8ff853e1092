"""Where a bundle comes from: recordings as files, what they were recorded with, the code that read them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cerebellum_trainer import VERSION

REPOSITORY = Path(__file__).resolve().parents[2]
GIT_S_MAX = 5


@dataclass(frozen=True)
class Recording:
    """One episode as a file. `calibration` and `software` are what its metadata says of them, if anything."""

    name: str
    uuid: str
    sha256: str
    calibration: dict[str, Any] = field(default_factory=dict)
    software: dict[str, str] = field(default_factory=dict)


def code_version() -> str:
    """Of this repository, as the daemon names it in recordings; the package's own where there is none."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--tags"],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=GIT_S_MAX,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return VERSION
    return f"{VERSION} ({found.stdout.strip()})"


def recordings_section(recordings: Sequence[Recording]) -> dict[str, Any]:
    """For the manifest's `provenance.dataset`: what is the same in many recordings stands there once."""
    calibrations = distinct(recording.calibration for recording in recordings)
    software = distinct(
        f"{recording.software.get('cerebellum', '?')} ({recording.software.get('git', 'unknown')})"
        for recording in recordings
        if recording.software
    )
    return {
        "recordings": [
            {"name": recording.name, "uuid": recording.uuid, "sha256": recording.sha256}
            for recording in recordings
        ],
        **({"recordedWith": software} if software else {}),
        **({"calibration": calibrations} if any(calibrations) else {}),
    }


def distinct(values: Iterable[Any]) -> list[Any]:
    """Each once, in the order of its first appearance."""
    return list({json.dumps(value, sort_keys=True): value for value in values}.values())
