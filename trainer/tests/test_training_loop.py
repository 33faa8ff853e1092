"""The loop of every training run: killed and continued, told to stop, a NaN, too little memory."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from toy_training import STEPS, Points, Settings, equal, in_folder, toy

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.training.failures import is_out_of_memory
from cerebellum_trainer.training.loop import LoopConfig
from cerebellum_trainer.training.world import Hardware, World

FORK = multiprocessing.get_context("fork")
NONE = Settings(hardware=Hardware(workers=0))


def killing(at: int) -> Callable[[int], None]:
    def after_step(step: int) -> None:
        if step == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return after_step


@pytest.mark.parametrize("at", [2, 6, 11], ids=lambda at: f"in step {at}")
def test_a_killed_run_goes_on_as_if_it_had_never_stopped(tmp_path: Path, at: int) -> None:
    whole, losses = toy(settings=NONE)
    child = FORK.Process(target=in_folder, args=(tmp_path / "run", NONE), kwargs={"after_step": killing(at)})
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "running"
    again, continued = in_folder(tmp_path / "run", NONE, resume=True)
    assert continued == losses
    assert len(continued) == STEPS
    assert equal(whole, again)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["state"] == "finished"
    assert len(record["resumedAt"]) == 1


def test_workers_change_nothing(tmp_path: Path) -> None:
    one, losses = toy(settings=NONE)
    other, same = toy(settings=replace(NONE, hardware=Hardware(workers=2)))
    assert losses == same
    assert equal(one, other)


def test_parts_of_a_batch_give_the_gradient_of_the_whole() -> None:
    _, whole = toy(settings=NONE, dropout=0, is_normed=False)
    parts = replace(NONE, loop=LoopConfig(accumulate=4))
    assert toy(settings=parts, dropout=0, is_normed=False)[1] == pytest.approx(whole, rel=1e-5)


def test_told_to_stop_it_keeps_what_is_done_and_goes_on_later(tmp_path: Path) -> None:
    def after_step(step: int) -> None:
        if step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(TrainerError, match="7 of 12 steps are done and kept") as caught:
        in_folder(tmp_path / "run", NONE, after_step=after_step)
    assert caught.value.code == "INTERRUPTED"
    assert signal.getsignal(signal.SIGTERM) == before
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["state"] == "stopped"
    assert record["why"].startswith("INTERRUPTED")
    again, losses = in_folder(tmp_path / "run", NONE, resume=True)
    whole, expected = toy(settings=NONE)
    assert losses == expected
    assert equal(whole, again)


def test_a_nan_stops_it_before_the_weights_and_names_its_batch(tmp_path: Path) -> None:
    settings = replace(NONE, batch=2)
    with pytest.raises(TrainerError) as caught:
        in_folder(tmp_path / "run", settings, points=Points(bad=7), is_normed=False)
    assert caught.value.code == "LOSS_NOT_FINITE"
    assert "point 7" in caught.value.happened
    told = json.loads((tmp_path / "run" / "failed-batch.json").read_text())
    assert "point 7" in told["samples"]
    assert len(told["samples"]) == 2
    kept = sorted((tmp_path / "run" / "checkpoints").glob("*.pt"))
    if told["step"] >= 4:
        assert str(kept[-1]) in caught.value.remedy
    for file in kept:
        weights = torch.load(file, weights_only=True)["module"]
        assert all(bool(torch.isfinite(value).all()) for value in weights.values())
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "stopped"


def test_too_little_memory_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_much(_module: nn.Module, _x: torch.Tensor) -> torch.Tensor:
        return torch.empty(1 << 60)

    with pytest.raises(RuntimeError) as raised:
        too_much(nn.Identity(), torch.zeros(1))
    assert is_out_of_memory(raised.value)
    assert not is_out_of_memory(RuntimeError("shapes disagree"))
    monkeypatch.setattr(nn.Linear, "forward", too_much)
    with pytest.raises(TrainerError, match=r"8 images at once \(step 0\)") as caught:
        toy(settings=NONE)
    assert caught.value.code == "OUT_OF_MEMORY"
    assert "accumulate" in caught.value.remedy


def train_as(rank: int, size: int, store: str, results: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    network, losses = toy(settings=NONE, world=World(rank, size), dropout=0, is_normed=False)
    torch.save({"module": network.state_dict(), "losses": losses}, results / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    children = [
        FORK.Process(target=train_as, args=(r, 2, str(tmp_path / "store"), tmp_path)) for r in range(2)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0, 0]
    first, second = (torch.load(tmp_path / f"{r}.pt", weights_only=True) for r in range(2))
    alone, losses = toy(settings=NONE, dropout=0, is_normed=False)
    assert first["losses"] == second["losses"] == pytest.approx(losses, rel=1e-5)
    for name, value in alone.state_dict().items():
        assert torch.equal(first["module"][name], second["module"][name])
        torch.testing.assert_close(first["module"][name], value, rtol=1e-4, atol=1e-6)


def test_curves_have_the_known_tags(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, losses = in_folder(tmp_path / "run", NONE)
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    points = events.Scalars("Train-iter/loss")
    assert [point.step for point in points] == [4, 8, 12]
    assert points[-1].value == pytest.approx(losses[-1])
    assert [point.step for point in events.Scalars("Train-iter/loss-images")] == [32, 64, 96]
    assert events.Scalars("Policy-iter/lr")[-1].value < events.Scalars("Policy-iter/lr")[0].value
    assert {"Train-iter/gradient_norm", "Train-iter/images_per_s", "Train-iter/largest"} <= set(
        events.Tags()["scalars"]
    )
