"""Encoders of other makes all the way: episodes, controller, bundle, and the daemon's own loader in Node."""

import json
import os
from pathlib import Path

import pytest
import torch
from recording import write_episode

from cerebellum_trainer.clone import CloneConfig
from cerebellum_trainer.commands.clone import Clone, run_clone
from cerebellum_trainer.commands.import_checkpoint import Import, run_import
from cerebellum_trainer.controller import ControllerConfig, Feature
from cerebellum_trainer.daemon import daemon_is_built, verify_in_daemon
from cerebellum_trainer.encoders.registry import untrained
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encoder_sha256
from cerebellum_trainer.frozen import encoder_of_bundle, open_encoder
from cerebellum_trainer.relight import Relighting
from cerebellum_trainer.variants.offer import ExportConfig
from cerebellum_trainer.vit import VisionTransformer, VitConfig

# A machine for training alone has no daemon. CI has one, or fails.
needs_daemon = pytest.mark.skipif(
    not daemon_is_built() and "CI" not in os.environ, reason="no daemon is built beside the trainer"
)


@pytest.fixture(scope="module")
def episodes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("episodes")
    for seed in range(3):
        write_episode(folder, 1 + seed, seed=seed)
    return folder


def cloned(folder: Path, episodes: Path, encoder: Path, feature: Feature = "patch-tokens") -> Path:
    return run_clone(
        Clone(
            (episodes,),
            encoder=encoder,
            out=folder / "bundle",
            features=folder / "work" / "features",
            recipe=CloneConfig(epochs=2, batch=16),
            relighting=Relighting(copies=0),
            controller=ControllerConfig(feature=feature),
            export=ExportConfig(verify=False),
        )
    )


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory, episodes: Path) -> Path:
    return cloned(tmp_path_factory.mktemp("lite"), episodes, Path("efficientnet-lite0"))


@needs_daemon
def test_the_daemon_runs_a_cnn_of_real_pictures(lite: Path) -> None:
    manifest = json.loads((lite / "policy.json").read_text(encoding="utf-8"))
    assert manifest["encoder"]["pretraining"] == "supervised"
    assert manifest["encoder"]["architecture"] == {
        "family": "cnn",
        "name": "efficientnet-lite0/stage7",
        "patchPx": 32,
        "width": 320,
    }
    assert manifest["image"]["mean"] == [0.5, 0.5, 0.5]
    assert manifest["image"]["resize"]["widthPx"] == 224
    assert verify_in_daemon(lite)["passed"]


def test_a_cnn_comes_back_from_its_bundle_and_is_compared(lite: Path) -> None:
    encoder, pretraining = encoder_of_bundle(lite)
    assert pretraining == "supervised"
    assert encoder_sha256(encoder) == encoder_sha256(open_encoder(Path("efficientnet-lite0"))[0])
    manifest = json.loads((lite / "policy.json").read_text(encoding="utf-8"))
    assert f"encoder {encoder_sha256(encoder)[:12]} " in manifest["provenance"]["notes"]


@needs_daemon
def test_the_daemon_runs_an_imported_vit(tmp_path: Path, episodes: Path) -> None:
    """With what is uncommon about a CLIP's tower, and random weights."""
    sizes = VitConfig(heads=1, image_px=256, width=64, depth=2, pre_norm=True)
    random = untrained(lambda: VisionTransformer(sizes))
    # The exporter keeps one of several tensors that are equal, as biases of the initialisation are.
    for weight in random.parameters():
        weight.add_(0.1 * torch.randn_like(weight))
    torch.save(random.state_dict(), tmp_path / "clip.pth")
    asked = Import(
        tmp_path / "clip.pth", kind="clip", activation="quick-gelu", out=tmp_path / "e.safetensors"
    )
    imported = run_import(asked)
    bundle = cloned(tmp_path, episodes, imported)
    assert verify_in_daemon(bundle)["passed"]
    manifest = json.loads((bundle / "policy.json").read_text(encoding="utf-8"))
    assert manifest["encoder"]["architecture"]["activation"] == "quick-gelu"
    assert manifest["encoder"]["pretraining"] == "clip"
    assert "clip.pth (clip, 1 heads)" in (bundle / "made.md").read_text(encoding="utf-8")
    again, _, preprocessing = open_encoder(bundle)
    assert encoder_sha256(again) == encoder_sha256(open_encoder(imported)[0])
    assert preprocessing.size_px == 256


@needs_daemon
def test_the_daemon_runs_a_convolutional_stem_whose_encoder_stays_a_file(
    tmp_path: Path, episodes: Path
) -> None:
    from cerebellum_trainer.encoders.files import save_encoder

    sizes = VitConfig(heads=2, image_px=64, width=32, depth=1, stem=(8, 16, 24, 32))
    random = VisionTransformer(sizes)
    with torch.no_grad():
        random(torch.randn(8, 3, 64, 64))
    save_encoder(random.eval(), tmp_path / "e.safetensors", "none")
    bundle = cloned(tmp_path, episodes, tmp_path / "e.safetensors", "class-token")
    assert verify_in_daemon(bundle)["passed"]
    with pytest.raises(TrainerError, match="folded the norms of its convolutional stem"):
        open_encoder(bundle)
