"""Precisions and fused graphs, on small encoders and on arithmetic that can be followed by hand."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from cerebellum_trainer.controller import Controller, ControllerConfig, Feature, Scales
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.export import export_policy, open_session, write_onnx
from cerebellum_trainer.variants.graph import fuse, products
from cerebellum_trainer.variants.measure import Answers, Difference, Frames, answer, compare_answers
from cerebellum_trainer.variants.offer import ExportConfig, Gate, offer_variants, spread
from cerebellum_trainer.variants.outliers import outlier_ratios
from cerebellum_trainer.variants.quantise import quantise
from cerebellum_trainer.vit import VisionTransformer, VitConfig

SMALL = VitConfig(heads=2, width=32, depth=2, image_px=64)


def controller_for(feature: Feature, action: float = 0.05) -> Controller:
    torch.manual_seed(5)
    scales = Scales(torch.zeros(32), torch.ones(32), torch.zeros(7), torch.ones(7), torch.tensor(action))
    return Controller(ControllerConfig(feature=feature), 32, 4, 7, scales).eval()


def frames(count: int = 6) -> Frames:
    generator = torch.Generator().manual_seed(2)
    images = torch.randn(count, 3, 64, 64, generator=generator)
    return Frames(images, torch.zeros(count, 7), "0" * 64, np.full(7, 0.15), 7)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with encoder.onnx and controller.onnx of patch tokens."""
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(3)
    encoder = VisionTransformer(SMALL).eval()
    seen = frames()
    export_policy(encoder, controller_for("patch-tokens"), seen.images[:1], seen.state[:1], folder)
    return folder


@pytest.fixture(scope="module")
def outshone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder in whose first block three channels are 200 times as large as the others."""
    file = tmp_path_factory.mktemp("outshone") / "encoder.onnx"
    torch.manual_seed(3)
    encoder = VisionTransformer(SMALL).eval()
    with torch.no_grad():
        encoder.blocks[0].norm1.weight[:3] *= 200
    write_onnx(encoder, (frames().images[:1],), ["image"], ["tokens"], file)
    return file


def test_all_linear_layers_of_the_blocks_become_int8_and_attention_does_not(
    exported: Path, tmp_path: Path
) -> None:
    model = onnx.load(exported / "encoder.onnx")
    assert len(products(model)) == 8
    assert sum(node.op_type == "MatMul" for node in model.graph.node) >= 8
    out = tmp_path / "int8.onnx"
    assert quantise(exported / "encoder.onnx", out, []) == 8
    quantised = onnx.load(out)
    assert not products(quantised)
    assert sum(node.op_type == "MatMulInteger" for node in quantised.graph.node) == 8
    assert all(
        value.data_type != onnx.TensorProto.UINT8 for value in quantised.graph.initializer if value.dims
    )
    assert b"/tmp" not in out.read_bytes()


def test_int8_answers_almost_as_fp32(exported: Path, tmp_path: Path) -> None:
    out, controller = tmp_path / "int8.onnx", exported / "controller.onnx"
    quantise(exported / "encoder.onnx", out, [])
    expected = answer(exported / "encoder.onnx", controller, "patch-tokens", frames())
    difference = compare_answers(expected, answer(out, controller, "patch-tokens", frames()), frames())
    assert 0.999 < difference.cosine_min <= difference.cosine_mean < 1
    assert 0 < difference.error_rms_rad < difference.error_max_rad < 0.0075
    assert difference.error_share == pytest.approx(difference.error_max_rad / 0.15)


def test_channels_that_outshine_the_others_are_found_where_they_are(outshone: Path, exported: Path) -> None:
    usual = outlier_ratios(exported / "encoder.onnx", frames(2).images)
    assert len(usual) == 8
    assert max(usual.values()) < 32
    ratios = outlier_ratios(outshone, frames(2).images)
    first, *others = ratios.values()
    assert first > 100
    assert max(others) < 32


def test_a_product_that_is_kept_saves_what_int8_would_lose(
    outshone: Path, exported: Path, tmp_path: Path
) -> None:
    ratios = outlier_ratios(outshone, frames(2).images)
    kept = [node for node, ratio in ratios.items() if ratio > 32]
    controller = exported / "controller.onnx"
    expected = answer(outshone, controller, "patch-tokens", frames())
    cosines = {}
    for name, nodes in (("all", []), ("kept", kept)):
        out = tmp_path / f"{name}.onnx"
        assert quantise(outshone, out, nodes) == 8 - len(nodes)
        found = answer(out, controller, "patch-tokens", frames())
        cosines[name] = compare_answers(expected, found, frames()).cosine_min
    assert 1 - cosines["kept"] < 0.1 * (1 - cosines["all"])


@pytest.mark.parametrize("feature", ["patch-tokens", "class-token"])
def test_the_fused_graph_is_the_two_one_after_the_other(
    feature: Feature, exported: Path, tmp_path: Path
) -> None:
    model = controller_for(feature)
    seen = frames()
    tokens = torch.zeros(1, 17, 32)
    chosen = tokens[:, 0] if feature == "class-token" else tokens[:, 1:]
    controller = tmp_path / "controller.onnx"
    write_onnx(model, (chosen, seen.state[:1]), ["feature", "state"], ["action"], controller)
    encoder = exported / "encoder.onnx"
    fuse(encoder, controller, feature, tmp_path / "policy.onnx")
    session = open_session(tmp_path / "policy.onnx")
    assert [value.name for value in session.get_inputs()] == ["image", "state"]
    found = [
        session.run(["action"], {"image": image.numpy(), "state": state.numpy()})[0][0]
        for image, state in zip(seen.images.split(1), seen.state.split(1), strict=True)
    ]
    expected = answer(encoder, controller, feature, seen).action
    assert np.ptp(expected, axis=0).max() > 1e-4
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_differences_are_what_they_say() -> None:
    """Frame 1 turns its feature by 60 degrees; joint 2 has twice the clip of joint 1, so half the share."""
    expected = Answers(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[0.1, 0.0], [0.1, 0.0]]))
    found = Answers(np.array([[2.0, 0.0], [0.5, 3**0.5 / 2]]), np.array([[0.1, 0.02], [0.07, 0.0]]))
    seen = Frames(torch.zeros(2, 1), torch.zeros(2, 1), "0" * 64, np.array([0.1, 0.2]), 2)
    difference = compare_answers(expected, found, seen)
    assert difference.cosine_mean == pytest.approx(0.75)
    assert difference.cosine_min == pytest.approx(0.5)
    assert difference.error_share == pytest.approx(0.3)
    assert difference.error_max_rad == pytest.approx(0.03)
    assert difference.error_rms_rad == pytest.approx(((0.02**2 + 0.03**2) / 4) ** 0.5)
    assert difference.action_rms_rad == pytest.approx((0.1**2 / 2) ** 0.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cosine_mean": 0.9985}, "mean feature cosine 0.9985 (gate 0.999)"),
        ({"cosine_min": 0.99}, "smallest feature cosine 0.99 (gate 0.995)"),
        ({"error_share": 0.06}, "action off by a share of its clip of 0.06 (gate 0.05)"),
        ({"cosine_min": float("nan")}, "smallest feature cosine nan"),
    ],
)
def test_the_gate_says_what_fails(change: dict[str, float], words: str) -> None:
    good = {"cosine_mean": 0.9995, "cosine_min": 0.996, "error_share": 0.04}
    rest = {"error_max_rad": 0.006, "error_rms_rad": 0.001, "action_rms_rad": 0.05}
    assert Gate().why_not(Difference(**good, **rest)) is None
    assert words in (Gate().why_not(Difference(**{**good, **rest, **change})) or "")


def test_the_first_precision_named_is_the_first_offered(exported: Path, tmp_path: Path) -> None:
    config = ExportConfig(precisions=("int8", "fp32"), fused=True)
    files = [tmp_path / name for name in ("encoder.onnx", "controller.onnx")]
    for file in files:
        file.write_bytes((exported / file.name).read_bytes())
    offer = offer_variants(tmp_path, *files, "patch-tokens", frames(), config)
    assert [variant["precision"] for variant in offer.variants] == ["int8", "fp32"]
    int8, fp32 = offer.variants
    assert int8["controllerFile"] == fp32["controllerFile"] == "controller.onnx"
    assert int8["measured"]["productsQuantised"] == 8
    assert int8["featureCosineMin"] == int8["measured"]["featureCosineMin"] < 1
    assert "measured" not in fp32
    assert {file.name for file in offer.files} == {file.name for file in tmp_path.iterdir()}
    assert {int8["fusedFile"], fp32["fusedFile"]} == {"policy.int8.onnx", "policy.onnx"}


def test_what_fails_the_gate_is_left_out_with_its_numbers(exported: Path, tmp_path: Path) -> None:
    files = [exported / "encoder.onnx", exported / "controller.onnx"]
    strict = Gate(action_error_share=1e-9)
    config = ExportConfig(precisions=("int8", "fp32"), gate=strict)
    offer = offer_variants(tmp_path, *files, "patch-tokens", frames(), config)
    assert [variant["precision"] for variant in offer.variants] == ["fp32"]
    (left,) = offer.left_out
    assert "gate 1e-09" in left["reason"]
    assert left["measured"]["frames"] == 6
    assert not list(tmp_path.iterdir())
    assert any("int8 is left out: action off" in remark for remark in offer.remarks())
    with pytest.raises(TrainerError, match="int8 action off") as caught:
        offer_variants(
            tmp_path, *files, "patch-tokens", frames(), ExportConfig(precisions=("int8",), gate=strict)
        )
    assert caught.value.code == "EXPORT_GATE"


class Convolution(nn.Module):
    """An encoder without any matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, 32, 16, 16)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.proj(images).flatten(2).transpose(1, 2)
        return torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)


def test_an_encoder_of_convolutions_stays_in_fp32(exported: Path, tmp_path: Path) -> None:
    file = tmp_path / "encoder.onnx"
    write_onnx(Convolution(), (frames().images[:1],), ["image"], ["tokens"], file)
    config = ExportConfig(precisions=("int8", "fp32"))
    offer = offer_variants(tmp_path, file, exported / "controller.onnx", "patch-tokens", frames(), config)
    (left,) = offer.left_out
    assert left == {
        "precision": "int8",
        "reason": "no matrix product to quantise: the encoder has none",
    }


def test_frames_are_spread_from_the_first_to_the_last() -> None:
    assert list(spread(100, 4)) == [0, 33, 66, 99]
    assert list(spread(3, 64)) == [0, 1, 2]
    assert list(spread(5, 1)) == [0]
