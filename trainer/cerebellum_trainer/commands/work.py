"""Where the commands leave their results when no folder is named."""

from __future__ import annotations

from pathlib import Path

WORK = Path(".cerebellum/training")
