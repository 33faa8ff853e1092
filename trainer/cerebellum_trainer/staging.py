"""Bundles are made beside the folder that they replace: what stops halfway leaves the older one as it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cerebellum_trainer.errors import TrainerError

MANIFEST = "policy.json"
# What a bundle consists of; anything else in its folder is somebody's own.
OWN_PATTERNS = ("*.onnx", "golden*")


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A new folder for the block to fill; after it, its files are in `folder`, in place of an older bundle's.

    When the block raises, `folder` is untouched. What the daemon has refused stays there, to be looked at.
    """
    making = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    try:
        yield making
    except BaseException as error:
        if not (isinstance(error, TrainerError) and error.code == "BUNDLE_REFUSED"):
            shutil.rmtree(making, ignore_errors=True)
        raise
    folder.mkdir(parents=True, exist_ok=True)
    # Without a manifest it is no bundle: nobody takes old and new files for one.
    (folder / MANIFEST).unlink(missing_ok=True)
    for old in [path for pattern in OWN_PATTERNS for path in folder.glob(pattern)]:
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    files = [path for path in making.rglob("*") if path.is_file()]
    for file in sorted(files, key=lambda path: path.name == MANIFEST):
        place = folder / file.relative_to(making)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, place)
    shutil.rmtree(making)
