"""Checkpoints and the folder of a run: nothing is lost by a kill, nothing is overwritten, nothing is mixed
up.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toy_training import Settings, equal, in_folder, toy

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.training.checkpoints import Checkpoints
from cerebellum_trainer.training.folder import RunFolder
from cerebellum_trainer.training.loader import Loader
from cerebellum_trainer.training.world import Hardware, World, choose_device

CPU = torch.device("cpu")
NONE = Settings(hardware=Hardware(workers=0))


def saved(folder: Path, *steps: int) -> Checkpoints:
    checkpoints = Checkpoints(folder, {"vit": {"width": 8}})
    for step in steps:
        checkpoints.save(step, {"weights": torch.full((64,), float(step))})
    return checkpoints


def test_the_newest_is_restored_and_old_ones_go(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 1, 2, 10, 9)
    assert [file.name[:13] for file in checkpoints.files()] == ["step-00000010", "step-00000009"]
    state, remarks = checkpoints.restore(CPU)
    assert state is not None
    assert (state["step"], state["weights"][0].item(), remarks) == (10, 10.0, [])
    assert saved(tmp_path / "empty").restore(CPU) == (None, [])


def test_a_cut_or_changed_one_is_left_out_for_the_one_before(tmp_path: Path) -> None:
    for place, damage in enumerate((lambda b: b[:-20], lambda b: b[:500] + bytes([b[500] ^ 1]) + b[501:])):
        checkpoints = saved(tmp_path / str(place), 1, 2)
        newest = checkpoints.newest()
        assert newest is not None
        newest.write_bytes(damage(newest.read_bytes()))
        state, remarks = checkpoints.restore(CPU)
        assert state is not None
        assert state["step"] == 1
        assert remarks == [f"{newest.name} is damaged"]
        checkpoints.files()[-1].write_bytes(b"")
        with pytest.raises(TrainerError) as caught:
            checkpoints.restore(CPU)
        assert caught.value.code == "CHECKPOINT_UNREADABLE"


def test_what_a_kill_left_half_written_does_not_count(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 3)
    (tmp_path / "step-00000004.part").write_bytes(b"PK half")
    state, remarks = checkpoints.restore(CPU)
    assert state is not None
    assert (state["step"], remarks) == (3, [])


def test_another_architecture_is_refused_by_what_differs(tmp_path: Path) -> None:
    saved(tmp_path, 3)
    with pytest.raises(TrainerError, match=r"vit\.width is 8 there, 16 here; vit\.depth is null") as caught:
        Checkpoints(tmp_path, {"vit": {"width": 16, "depth": 2}}).restore(CPU)
    assert caught.value.code == "CHECKPOINT_OTHER"
    assert len(list(tmp_path.glob("*.pt"))) == 1


def refused(path: Path, settings: Settings = NONE, resume: bool = False) -> str:
    with pytest.raises(TrainerError) as caught:
        in_folder(path, settings, resume)
    return caught.value.code


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    in_folder(tmp_path / "run", NONE)
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    assert refused(tmp_path / "run") == "RUN_EXISTS"
    assert refused(tmp_path / "run", resume=True) == "RUN_EXISTS"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("x")
    assert refused(tmp_path / "other") == "RUN_EXISTS"
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "run.json").write_text("{")
    assert refused(tmp_path / "torn", resume=True) == "RUN_EXISTS"
    assert before == {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}


def begun(path: Path) -> None:
    with pytest.raises(KeyError), RunFolder.open(path, "toy", NONE, {"data": "abc"}, World()):
        raise KeyError("gone")


def test_only_the_same_run_goes_on(tmp_path: Path) -> None:
    begun(tmp_path)
    assert json.loads((tmp_path / "run.json").read_text())["why"] == "KeyError: 'gone'"
    assert refused(tmp_path) == "RUN_EXISTS"
    with pytest.raises(TrainerError, match=r"config\.width is 8 there, 9 here"):
        in_folder(tmp_path, replace(NONE, width=9), resume=True)
    with pytest.raises(TrainerError, match=r"inputs\.data"):
        RunFolder.open(tmp_path, "toy", NONE, {"data": "other"}, World(), resume=True)
    # What changes no result may change.
    loop = replace(NONE.loop, checkpoint_every=3)
    network, _ = in_folder(tmp_path, replace(NONE, resume=True, loop=loop), resume=True)
    assert equal(network, toy(settings=NONE)[0])


def test_one_process_at_a_time(tmp_path: Path) -> None:
    begun(tmp_path)
    with (tmp_path / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert refused(tmp_path, resume=True) == "RUN_BUSY"
    in_folder(tmp_path, NONE, resume=True)


class Trouble:
    def __len__(self) -> int:
        return 4

    def sample(self, index: int, _generator: object) -> tuple[torch.Tensor, ...]:
        if index == 2:
            raise TrainerError("IMAGE_UNREADABLE", "picture 2 is torn", "Leave it out")
        return (torch.zeros(1),)

    def name(self, index: int) -> str:
        return str(index)


@pytest.mark.parametrize("workers", [0, 1])
def test_trouble_with_a_sample_keeps_its_code(workers: int) -> None:
    loader = Loader(Trouble(), 4, 0, World(), workers)
    with pytest.raises(TrainerError, match="picture 2") as caught:
        next(loader.batches(0, 1))
    assert caught.value.code == "IMAGE_UNREADABLE"


class Deadly(Trouble):
    def sample(self, index: int, _generator: object) -> tuple[torch.Tensor, ...]:
        os.kill(os.getpid(), signal.SIGKILL)
        return ()


def test_a_worker_that_is_killed_is_told_with_the_way_out() -> None:
    with pytest.raises(TrainerError) as caught:
        next(Loader(Deadly(), 4, 0, World(), 1).batches(0, 1))
    assert caught.value.code == "WORKER_LOST"
    assert "--resume" in caught.value.remedy


def test_batches_hold_every_sample_once_an_epoch_and_in_another_order() -> None:
    loader = Loader(Trouble(), 3, 0, World())
    epochs = [
        [i for step in range(8) for e, i in loader.picked(step, 0, 1) if e == epoch] for epoch in range(6)
    ]
    assert all(sorted(epoch) == [0, 1, 2, 3] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    halves = [loader.picked(5, part, 3) for part in range(3)]
    assert sorted(chosen for half in halves for chosen in half) == sorted(loader.picked(5, 0, 1))


def test_a_batch_that_cannot_be_parted_is_refused() -> None:
    with pytest.raises(TrainerError, match="multiple of 6") as caught:
        next(Loader(Trouble(), 4, 0, World(0, 2)).batches(0, 1, accumulate=3))
    assert caught.value.code == "BATCH_INVALID"


def test_a_process_without_a_gpu_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device(Hardware(), 0) == torch.device("cuda", 0)
    assert choose_device(Hardware(device="cpu"), 3) == CPU
    with pytest.raises(TrainerError) as caught:
        choose_device(Hardware(), 1)
    assert caught.value.code == "DEVICE_MISSING"
