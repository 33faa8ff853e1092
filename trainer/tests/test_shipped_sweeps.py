"""The sweeps beside the trainer are ones that it can read."""

from pathlib import Path

import pytest

from cerebellum_trainer.sweep.plan import read_sweep

FILES = sorted((Path(__file__).parents[1] / "sweeps").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_sweep_has_runs_that_differ(file: Path) -> None:
    runs = read_sweep(file).runs()
    assert len({run.folder for run in runs}) == len(runs) > 1
