"""The pretrain command as a run: killed for real, continued, refused, stopped by a loss that is no number."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cerebellum_trainer.commands.bench_mae import BenchMae, make_frames, run_bench_mae
from cerebellum_trainer.commands.pretrain import Pretrain, run_pretrain
from cerebellum_trainer.encoders.files import load_encoder
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encoder_sha256
from cerebellum_trainer.mae import MaeConfig
from cerebellum_trainer.training.loop import LoopConfig
from cerebellum_trainer.training.world import Hardware
from cerebellum_trainer.vit import VitConfig

TINY = VitConfig(heads=2, image_px=32, width=16, depth=1)
RECIPE = MaeConfig(images=8 * 150, batch=8, decoder_width=16, decoder_depth=1, decoder_heads=2)
LOOP = LoopConfig(checkpoint_every=10)
ALONE = Hardware(device="cpu", workers=0)
FLAGS = [
    "--vit.heads",
    "2",
    "--vit.image-px",
    "32",
    "--vit.width",
    "16",
    "--vit.depth",
    "1",
    "--mae.images",
    "1200",
    "--mae.batch",
    "8",
    "--mae.decoder-width",
    "16",
    "--mae.decoder-depth",
    "1",
    "--mae.decoder-heads",
    "2",
    "--loop.checkpoint-every",
    "10",
    "--device",
    "cpu",
    "--workers",
    "0",
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "c.npy"
    np.save(path, np.random.default_rng(0).integers(0, 255, (24, 32, 32, 3)).astype(np.uint8))
    return path


def test_killed_and_continued_it_makes_the_same_encoder(tmp_path: Path, pictures: Path) -> None:
    config = Pretrain((pictures,), out=tmp_path / "whole", vit=TINY, mae=RECIPE, loop=LOOP, hardware=ALONE)
    whole = run_pretrain(config)
    out = tmp_path / "killed"
    command = [
        sys.executable,
        "-m",
        "cerebellum_trainer",
        "pretrain",
        "--corpus",
        str(pictures),
        "--out",
        str(out),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([*command, *FLAGS], env=environment, stdout=subprocess.DEVNULL) as child:
        deadline_s = time.monotonic() + 300
        while not list(out.glob("checkpoints/*.pt")) and time.monotonic() < deadline_s:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert list(out.glob("checkpoints/*.pt"))
    assert not (out / "encoder.safetensors").exists()
    with pytest.raises(TrainerError) as caught:
        run_pretrain(replace(config, out=out))
    assert caught.value.code == "RUN_EXISTS"
    continued = run_pretrain(replace(config, out=out, resume=True))
    assert encoder_sha256(load_encoder(continued)[0]) == encoder_sha256(load_encoder(whole)[0])
    records = [json.loads((file.parent / "run.json").read_text()) for file in (whole, continued)]
    assert records[0]["results"]["losses"] == records[1]["results"]["losses"]
    assert len(records[1]["resumedAt"]) == 1
    with Image.open(out / "reconstructions.png") as sheet:
        assert sheet.size == (3 * 32, 8 * 32)
    encoder, pretraining = load_encoder(continued)
    assert (encoder.config, pretraining) == (TINY, "mae")


def test_a_loss_that_is_no_number_names_its_pictures(tmp_path: Path, pictures: Path) -> None:
    wild = replace(RECIPE, learning_rate=1e30)
    config = Pretrain((pictures,), out=tmp_path / "run", vit=TINY, mae=wild, loop=LOOP, hardware=ALONE)
    with pytest.raises(TrainerError, match=r"c\.npy\[\d+\]") as caught:
        run_pretrain(config)
    assert caught.value.code == "LOSS_NOT_FINITE"
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "stopped"
    assert len(json.loads((tmp_path / "run" / "failed-batch.json").read_text())["samples"]) == 8


def test_other_sizes_than_the_run_has_are_refused(tmp_path: Path, pictures: Path) -> None:
    config = Pretrain(
        (pictures,), out=tmp_path / "run", vit=TINY, mae=replace(RECIPE, images=16), hardware=ALONE
    )
    run_pretrain(config)
    record = tmp_path / "run" / "run.json"
    record.write_text(record.read_text().replace('"state": "finished"', '"state": "stopped"'))
    wider = replace(config, vit=replace(TINY, width=32), resume=True)
    with pytest.raises(TrainerError, match=r"vit\.width is 16 there, 32 here") as caught:
        run_pretrain(wider)
    assert caught.value.code == "RUN_OTHER"
    record.unlink()
    with pytest.raises(TrainerError) as caught:
        run_pretrain(config)
    assert caught.value.code == "RUN_EXISTS"
    others = {
        "SAMPLES_MISSING": Pretrain(out=tmp_path / "none", hardware=ALONE),
        "ENCODER_UNKNOWN": replace(config, size="vit-xxl"),
        "ARCHITECTURE_UNFIT": replace(config, vit=replace(TINY, stem=(4, 8, 16, 32)), out=tmp_path / "stem"),
    }
    for code, wrong in others.items():
        with pytest.raises(TrainerError) as caught:
            run_pretrain(wrong)
        assert caught.value.code == code


def test_frames_and_rendered_pictures_train_together_and_the_rate_is_measured(
    tmp_path: Path, pictures: Path
) -> None:
    frames = make_frames(tmp_path / "frames", 12)
    recipe = replace(RECIPE, images=8 * 3)
    config = Pretrain(
        (pictures,), (frames,), tmp_path / "run", TINY, recipe, hardware=replace(ALONE, workers=1), loop=LOOP
    )
    run_pretrain(config)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["results"]["corpusImages"] == 36
    assert set(record["inputs"]) == {"corpus0", "frames0"}
    found = run_bench_mae(
        BenchMae((frames,), TINY, RECIPE, ALONE, seconds=0.2, rounds=1, json=tmp_path / "b.json")
    )
    assert json.loads((tmp_path / "b.json").read_text())["results"] == found
    assert found["bareImagesPerS"] > 0
    assert found["share"] == pytest.approx(found["loopImagesPerS"] / found["bareImagesPerS"], abs=0.01)
    # By hand, a multiplication with its addition counted as two: patches 4, kept 1, decoder on 4 + 1 tokens.
    assert found["gflopPerImage"] == pytest.approx(by_hand_gflop(), rel=0.15)


def by_hand_gflop() -> float:
    """Of the matrices alone, three times the forward pass; attention's products are small here."""
    patch, width = 3 * 16**2, 16
    block = 12 * width**2
    forward = 4 * patch * width + 2 * block + 2 * width**2 + 5 * block + 4 * patch * width
    return 3 * 2 * forward / 1e9
