"""On the shipped bundle: small and untrained encoders lose their weights' names to the exporter's folding."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encoder_sha256
from cerebellum_trainer.frozen import encoder_of_bundle

SHIPPED = Path(__file__).parents[2] / "policies" / "bundles" / "reach-block"


def test_a_bundle_gives_its_encoder_back() -> None:
    manifest = json.loads((SHIPPED / "policy.json").read_text(encoding="utf-8"))
    encoder, pretraining = encoder_of_bundle(SHIPPED)
    assert pretraining == manifest["encoder"]["pretraining"]
    # The trainer noted the hash of the weights that it had exported.
    assert f"encoder {encoder_sha256(encoder)[:12]} " in manifest["provenance"]["notes"]
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_an_encoder_that_lies_in_the_bundle_beside_is_found(tmp_path: Path) -> None:
    bundle, beside = tmp_path / "bundle", tmp_path / "beside"
    shutil.copytree(SHIPPED, bundle)
    shutil.copytree(SHIPPED, beside)
    (bundle / "encoder.onnx").unlink()
    assert encoder_sha256(encoder_of_bundle(bundle)[0]) == encoder_sha256(encoder_of_bundle(SHIPPED)[0])
    shutil.rmtree(beside)
    with pytest.raises(TrainerError) as caught:
        encoder_of_bundle(bundle)
    assert caught.value.code == "ENCODER_UNREADABLE"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: found["encoder"]["architecture"].update(depth=3), "24 linear layers where 12"),
        (lambda found: found["encoder"]["architecture"].update(heads=4), "differ by"),
        (lambda found: found["encoder"]["architecture"].update(width=96), "lacks"),
        (lambda found: found["files"].update({"encoder.onnx": "0" * 64}), "not the file that the manifest"),
        (lambda found: found.pop("encoder"), "KeyError"),
    ],
)
def test_a_bundle_whose_encoder_is_another_is_refused(
    tmp_path: Path, change: Callable[[dict], object], words: str
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(SHIPPED, bundle)
    manifest = json.loads((bundle / "policy.json").read_text(encoding="utf-8"))
    change(manifest)
    (bundle / "policy.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(TrainerError, match=words) as caught:
        encoder_of_bundle(bundle)
    assert caught.value.code == "ENCODER_UNREADABLE"
