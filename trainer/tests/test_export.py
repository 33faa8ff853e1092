"""Checkpoint to bundle in every form, and through the daemon's own loader."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from recording import write_episode

from cerebellum_trainer.checkpoint import load_controller
from cerebellum_trainer.clone import CloneConfig
from cerebellum_trainer.commands.clone import Clone, run_clone
from cerebellum_trainer.commands.export import Export, every_form, run_export
from cerebellum_trainer.daemon import daemon_is_built, verify_in_daemon
from cerebellum_trainer.encoders.files import save_encoder
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.provenance import Recording, recordings_section
from cerebellum_trainer.relight import Relighting
from cerebellum_trainer.vit import VisionTransformer

SOFTWARE = {"software": json.dumps({"cerebellum": "0.1.0", "git": "abc1234"})}
CALIBRATION = {"calibration": json.dumps({"tracker": {"sha256": "ab" * 32}})}
# A machine for training alone has no daemon. CI has one, or fails.
needs_daemon = pytest.mark.skipif(
    not daemon_is_built() and "CI" not in os.environ, reason="no daemon is built beside the trainer"
)


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory, small_encoder: VisionTransformer) -> Path:
    """Folder of episodes, encoder, bundle in fp32 alone, and work/controller.safetensors."""
    folder = tmp_path_factory.mktemp("export")
    for seed in range(3):
        write_episode(folder / "episodes", 1 + seed, seed=seed, start={**SOFTWARE, **CALIBRATION})
    save_encoder(small_encoder, folder / "encoder.safetensors", "mae")
    run_clone(
        Clone(
            (folder / "episodes",),
            encoder=folder / "encoder.safetensors",
            out=folder / "bundle",
            features=folder / "work" / "features",
            recipe=CloneConfig(epochs=2, batch=16),
            relighting=Relighting(copies=0),
            export=replace(every_form(), precisions=("fp32",), fused=False, verify=False),
        )
    )
    return folder


def export_of(cloned: Path, source: Path, out: Path, verify: bool = False) -> dict:
    run_export(
        Export(
            (cloned / "episodes",),
            source=source,
            encoder=cloned / "encoder.safetensors",
            out=out,
            export=replace(every_form(), verify=verify),
        )
    )
    return json.loads((out / "policy.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def whole(cloned: Path) -> Path:
    """A bundle in every form, from the checkpoint."""
    export_of(cloned, cloned / "work" / "controller.safetensors", cloned / "whole")
    return cloned / "whole"


@needs_daemon
def test_the_daemons_loader_computes_what_pytorch_computed(whole: Path) -> None:
    found = verify_in_daemon(whole)
    assert found["precision"] == "int8"
    assert not found["rejectedVariants"]
    int8, fp32 = found["variants"]
    for golden in fp32["goldens"]:
        assert golden["imageErrorMax"] <= 1e-4
        assert golden["actionErrorMaxRad"] <= 1e-4
    assert fp32["fusedErrorMaxRad"] <= 1e-4
    measured = json.loads((whole / "policy.json").read_text(encoding="utf-8"))["variants"][0]["measured"]
    limit = 2 * measured["actionErrorMaxRad"]
    assert 0 < max(golden["actionErrorMaxRad"] for golden in int8["goldens"]) <= limit
    assert int8["fusedErrorMaxRad"] <= limit


@needs_daemon
def test_a_bundle_that_the_daemon_refuses_is_no_success(whole: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(whole, bundle)
    manifest = json.loads((bundle / "policy.json").read_text(encoding="utf-8"))
    manifest["image"]["mean"] = [0.5, 0.5, 0.5]
    (bundle / "policy.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(TrainerError, match="golden case 0") as caught:
        verify_in_daemon(bundle)
    assert caught.value.code == "BUNDLE_REFUSED"


def test_a_checkpoint_gives_the_controller_back(cloned: Path) -> None:
    controller, trained = load_controller(cloned / "work" / "controller.safetensors")
    manifest = json.loads((cloned / "bundle" / "policy.json").read_text(encoding="utf-8"))
    assert trained.dataset_sha256 == manifest["provenance"]["dataset"]["sha256"]
    assert controller.config.hidden == (256, 128, 64)
    assert not controller.training
    assert torch.equal(
        controller.state_dict()["action_scale"],
        load_controller(cloned / "work" / "controller.safetensors")[0].action_scale,
    )


def test_an_export_of_the_checkpoint_is_the_cloned_bundle_and_more(cloned: Path, whole: Path) -> None:
    first = json.loads((cloned / "bundle" / "policy.json").read_text(encoding="utf-8"))
    more = json.loads((whole / "policy.json").read_text(encoding="utf-8"))
    assert first["files"].items() - {("made.md", first["files"]["made.md"])} <= more["files"].items()
    assert [variant["precision"] for variant in first["variants"]] == ["fp32"]
    assert [variant["precision"] for variant in more["variants"]] == ["int8", "fp32"]
    assert {"policy.onnx", "policy.int8.onnx", "encoder.int8.onnx"} == more["files"].keys() - first[
        "files"
    ].keys()
    assert {file.name for file in whole.iterdir()} == more["files"].keys() | {"policy.json"}
    assert "- Variant int8: passes its gate: on 42 frames" in (whole / "made.md").read_text(encoding="utf-8")


def test_the_manifest_names_every_recording_and_what_it_was_recorded_with(cloned: Path) -> None:
    dataset = json.loads((cloned / "bundle" / "policy.json").read_text(encoding="utf-8"))["provenance"][
        "dataset"
    ]
    assert [recording["name"] for recording in dataset["recordings"]] == [
        f"episode-{number:06d}" for number in (1, 2, 3)
    ]
    assert all(len(recording["sha256"]) == 64 for recording in dataset["recordings"])
    assert dataset["recordedWith"] == ["0.1.0 (abc1234)"]
    assert dataset["calibration"] == [{"tracker": {"sha256": "ab" * 32}}]


def test_recordings_that_say_nothing_are_named_all_the_same() -> None:
    section = recordings_section([Recording("episode-000001", "u", "0" * 64)])
    assert section == {"recordings": [{"name": "episode-000001", "uuid": "u", "sha256": "0" * 64}]}


def test_a_bundle_is_exported_again_with_the_same_networks(cloned: Path, tmp_path: Path) -> None:
    before = json.loads((cloned / "bundle" / "policy.json").read_text(encoding="utf-8"))
    after = export_of(cloned, cloned / "bundle", tmp_path / "again")
    for name in ("encoder.onnx", "controller.onnx", "goldens.json", "golden0.png"):
        assert after["files"][name] == before["files"][name]
    assert [variant["precision"] for variant in after["variants"]] == ["int8", "fp32"]
    assert after["provenance"]["dataset"] == before["provenance"]["dataset"]
    assert after["provenance"]["notes"].startswith(before["provenance"]["notes"])
    with pytest.raises(TrainerError) as caught:
        export_of(cloned, tmp_path / "again", tmp_path / "again")
    assert caught.value.code == "EXPORT_ONTO_ITSELF"
    assert (tmp_path / "again" / "encoder.onnx").exists()


def test_another_encoder_or_other_episodes_are_refused(
    cloned: Path, tmp_path: Path, small_encoder: VisionTransformer
) -> None:
    checkpoint = cloned / "work" / "controller.safetensors"
    torch.manual_seed(99)
    save_encoder(VisionTransformer(small_encoder.config), tmp_path / "encoder.safetensors", "none")
    write_episode(tmp_path / "episodes", 1, seed=9)
    for change, code in (
        ({"encoder": tmp_path / "encoder.safetensors"}, "CHECKPOINT_MISMATCH"),
        ({"episodes": (tmp_path / "episodes",)}, "DATASET_CHANGED"),
        ({"source": cloned / "encoder.safetensors"}, "CHECKPOINT_UNREADABLE"),
        ({"source": cloned / "episodes"}, "MANIFEST_UNREADABLE"),
    ):
        config = Export(
            (cloned / "episodes",),
            source=checkpoint,
            encoder=cloned / "encoder.safetensors",
            out=tmp_path / "out",
        )
        with pytest.raises(TrainerError) as caught:
            run_export(replace(config, **change))
        assert caught.value.code == code
        assert not (tmp_path / "out").exists()
