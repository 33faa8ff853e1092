"""The daemon's own loader, run on what was exported: its preprocessing, its engine, its checks."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.provenance import REPOSITORY

ENTRY = REPOSITORY / "dist" / "launch" / "main.js"
VERIFY_S_MAX = 300


def daemon_is_built() -> bool:
    return ENTRY.is_file() and shutil.which("node") is not None


def verify_in_daemon(folder: Path) -> dict[str, Any]:
    """Result of `policy verify`: how far images and actions are from the goldens, for each variant.

    Raises: TrainerError BUNDLE_REFUSED with the daemon's own words.
    """
    with tempfile.TemporaryDirectory() as temporary:
        result = Path(temporary) / "result.json"
        try:
            ran = subprocess.run(
                ["node", ENTRY, "policy", "verify", folder.absolute(), "--json", result],
                capture_output=True,
                text=True,
                timeout=VERIFY_S_MAX,
                check=False,
            )
            found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise refused(folder, repr(error)) from error
    if not found["passed"]:
        raise refused(folder, found["error"]["happened"])
    if ran.returncode != 0:
        raise refused(folder, ran.stderr.strip()[-500:] or f"exit code {ran.returncode}")
    return found


def refused(folder: Path, why: str) -> TrainerError:
    return TrainerError(
        "BUNDLE_REFUSED",
        f"The daemon refuses {folder}: {why}",
        "Build the daemon of this version (`./cerebellum prepare`), then `./cerebellum policy verify` it; "
        "do not run it before it passes",
    )


def describe_verified(found: dict[str, Any]) -> str:
    """One line: the largest differences of every variant, its fused file among them."""
    parts = []
    for variant in found["variants"]:
        image = max(golden["imageErrorMax"] for golden in variant["goldens"])
        action = max(golden["actionErrorMaxRad"] for golden in variant["goldens"])
        fused = variant.get("fusedErrorMaxRad")
        whole = "" if fused is None else f", fused {fused:.1e}"
        parts.append(f"{variant['precision']} image {image:.1e}, action {action:.1e} rad{whole}")
    return "; ".join(parts)
