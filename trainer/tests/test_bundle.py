"""The whole way on synthetic recordings, with the checks that the daemon will make."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from recording import write_episode

from cerebellum_trainer.bundle import PolicyDescription
from cerebellum_trainer.clone import CloneConfig
from cerebellum_trainer.commands.clone import Clone, run_clone
from cerebellum_trainer.commands.made import joint_noise
from cerebellum_trainer.commands.report import Report, run_report
from cerebellum_trainer.dataset import Dataset
from cerebellum_trainer.encoders.files import save_encoder
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.export import OPSET, export_policy
from cerebellum_trainer.features import cached_tokens, encode_images, encoder_sha256, training_tokens
from cerebellum_trainer.images import Preprocessing, decode_image, preprocess
from cerebellum_trainer.relight import Relighting
from cerebellum_trainer.vit import VisionTransformer

RECIPE = CloneConfig(epochs=4, batch=32)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, small_encoder: VisionTransformer) -> Path:
    folder = tmp_path_factory.mktemp("run")
    for seed in range(6):
        write_episode(folder / "episodes", 1 + seed, seed=seed)
    save_encoder(small_encoder, folder / "encoder.safetensors", "mae")
    run_clone(
        Clone(
            (folder / "episodes",),
            encoder=folder / "encoder.safetensors",
            out=folder / "bundle",
            features=folder / "work" / "features",
            recipe=RECIPE,
        )
    )
    return folder


def test_checksums_cover_every_file_that_the_manifest_names(made: Path) -> None:
    bundle = made / "bundle"
    manifest = json.loads((bundle / "policy.json").read_text())
    for name, sha256 in manifest["files"].items():
        assert hashlib.sha256((bundle / name).read_bytes()).hexdigest() == sha256
    variant = manifest["variants"][0]
    named = {variant["encoderFile"], variant["controllerFile"], manifest["goldens"]["file"]}
    cases = json.loads((bundle / manifest["goldens"]["file"]).read_text())["cases"]
    assert named | {case["image"] for case in cases} | {"made.md"} == set(manifest["files"])
    assert {file.name for file in bundle.iterdir()} == set(manifest["files"]) | {"policy.json"}


def test_the_page_for_people_says_every_option_that_it_was_made_with(made: Path) -> None:
    page = (made / "bundle" / "made.md").read_text()
    assert "--task reach-block --episodes FOLDER --encoder FILE --recipe.epochs 4 --recipe.batch 32" in page


def test_noise_on_where_joints_seem_to_be_is_said_where_there_is_some() -> None:
    def dataset(*is_compliant: bool) -> Dataset:
        return cast(Dataset, SimpleNamespace(body=SimpleNamespace(is_compliant=is_compliant)))

    assert joint_noise(CloneConfig(), dataset(False)) == ""
    assert joint_noise(CloneConfig(), dataset(False, True)) == ", finger noise 0.03 rad"
    assert joint_noise(CloneConfig(joint_noise_rad=0.05), dataset(False)) == ", joint noise 0.05 rad"


def test_goldens_replay_through_onnx_alone(made: Path) -> None:
    bundle = made / "bundle"
    manifest = json.loads((bundle / "policy.json").read_text())
    encoder = onnxruntime.InferenceSession(bundle / "encoder.onnx")
    controller = onnxruntime.InferenceSession(bundle / "controller.onnx")
    cases = json.loads((bundle / "goldens.json").read_text())["cases"]
    assert len(cases) == 3
    for case in cases:
        preprocessing = Preprocessing()
        image = preprocess(decode_image((bundle / case["image"]).read_bytes(), preprocessing), preprocessing)
        sampled = image.flatten()[case["preprocessed"]["indices"]]
        np.testing.assert_allclose(sampled, case["preprocessed"]["values"], atol=1e-6)
        tokens = encoder.run(["tokens"], {"image": image[None].numpy()})[0]
        assert tokens.shape == (1, 50, 32)
        state = np.array([case["state"]], dtype=np.float32)
        action = controller.run(["action"], {"feature": tokens[:, 1:], "state": state})[0][0]
        np.testing.assert_allclose(action, case["action"], atol=manifest["goldens"]["toleranceAction"])


def test_graphs_have_static_shapes_an_old_operator_set_and_no_paths(made: Path) -> None:
    for name in ("encoder.onnx", "controller.onnx"):
        model = onnx.load(made / "bundle" / name)
        assert [entry.version for entry in model.opset_import if entry.domain == ""] == [OPSET]
        for value in [*model.graph.input, *model.graph.output]:
            assert all(dim.dim_value > 0 for dim in value.type.tensor_type.shape.dim)
        assert b"site-packages" not in model.SerializeToString()


def test_export_refuses_a_model_that_onnx_runtime_computes_differently(
    tmp_path: Path, made: Path, small_encoder: VisionTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cerebellum_trainer import export
    from cerebellum_trainer.controller import Controller, ControllerConfig, Scales

    scales = Scales(torch.zeros(32), torch.ones(32), torch.zeros(7), torch.ones(7), torch.tensor(1.0))
    controller = Controller(ControllerConfig(feature="class-token"), 32, 7, 7, scales).eval()
    images, state = torch.randn(2, 3, 112, 112), torch.zeros(2, 7)
    assert export_policy(small_encoder, controller, images, state, tmp_path).parity_max_abs < 1e-4
    monkeypatch.setattr(export, "PARITY_MAX_ABS", 0.0)
    with pytest.raises(TrainerError) as caught:
        export_policy(small_encoder, controller, images, state, tmp_path)
    assert caught.value.code == "EXPORT_PARITY"


def test_manifest_states_the_facts_of_the_run(made: Path, small_encoder: VisionTransformer) -> None:
    manifest = json.loads((made / "bundle" / "policy.json").read_text())
    assert manifest["provenance"]["dataset"]["episodes"] == 6
    assert manifest["provenance"]["dataset"]["frames"] == 84
    assert manifest["encoder"]["architecture"] == {"patchPx": 16, "width": 32, "depth": 2, "heads": 2}
    assert manifest["image"]["mount"]["fovYDeg"] == 42
    assert manifest["image"]["crop"] == {"xPx": 96, "yPx": 32, "widthPx": 448, "heightPx": 448}
    assert len(manifest["start"]["positionRad"]) == len(manifest["robot"]["joints"]) == 7
    assert manifest["action"]["clipRad"] == 0.15
    assert (manifest["expiryMs"], manifest["start"]["gripperOpeningM"]) == (500, 0.08)
    run = json.loads((made / "work" / "clone.json").read_text())
    assert run["inputs"]["encoder"] == encoder_sha256(small_encoder)
    assert run["config"]["seed"] == 0
    assert run["versions"]["torch"] == torch.__version__.split("+")[0]
    assert len(run["results"]["losses"]) == RECIPE.epochs
    assert "6 successful episodes" in (made / "bundle" / "made.md").read_text()


def test_tokens_are_cached_by_all_that_they_depend_on(
    tmp_path: Path, small_encoder: VisionTransformer
) -> None:
    images = torch.randn(3, 3, 112, 112)
    first = cached_tokens(small_encoder, images, {"dataset": "a"}, tmp_path)
    torch.testing.assert_close(first, encode_images(small_encoder, images))
    again = cached_tokens(small_encoder, torch.zeros_like(images), {"dataset": "a"}, tmp_path)
    assert torch.equal(first, again)
    other = VisionTransformer(small_encoder.config).eval()
    for encoder, described in ((small_encoder, {"dataset": "b"}), (other, {"dataset": "a"})):
        cached_tokens(encoder, images, described, tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_each_frame_is_seen_in_its_own_light_first(tmp_path: Path, small_encoder: VisionTransformer) -> None:
    images = torch.randn(3, 3, 112, 112)
    arguments = (small_encoder, images, "a", Preprocessing(), "wrist", Relighting(copies=2))
    tokens = training_tokens(*arguments, seed=0, folder=tmp_path)
    assert tokens.shape == (3, 3, 50, 32)
    torch.testing.assert_close(tokens[0], encode_images(small_encoder, images))
    assert not torch.allclose(tokens[1], tokens[2])
    assert not torch.allclose(tokens[1], training_tokens(*arguments, seed=1, folder=tmp_path)[1])
    assert torch.equal(tokens, training_tokens(*arguments, seed=0, folder=tmp_path / "elsewhere"))


def test_report_compares_with_its_controls(made: Path) -> None:
    rows = run_report(
        Report(
            (made / "episodes",),
            encoder=made / "encoder.safetensors",
            out=made / "work" / "report.json",
            features=made / "work" / "features",
            held_out=2,
            recipe=CloneConfig(epochs=2, batch=32),
        )
    )
    assert list(rows) == ["mae, patch tokens", "untrained, patch tokens", "mae, class token"]
    assert all(row["reachRmsRad"] > 0 for row in rows.values())


def test_a_task_begins_with_the_opening_of_its_demonstrations() -> None:
    assert PolicyDescription().start_opening_m("reach-block") == 0.08
    assert PolicyDescription().start_opening_m("close-fridge") == 0.0
    assert PolicyDescription(gripper_opening_m=0.04).start_opening_m("close-fridge") == 0.04
