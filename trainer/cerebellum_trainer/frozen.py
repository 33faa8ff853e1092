"""The encoder of a policy bundle, back as a PyTorch module: new controllers are trained on the shipped one.

The exporter keeps the names of all weights but the matrices of linear layers: those it stores transposed,
under numbers, in the order of use. What comes out is compared with the file it came from.
"""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError

from cerebellum_trainer.encoders.efficientnet import NAME, EfficientNetConfig, pretrained_efficientnet
from cerebellum_trainer.encoders.encoder import Encoder, Pretraining, frozen
from cerebellum_trainer.encoders.files import vit_config
from cerebellum_trainer.encoders.registry import open_named
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.export import PARITY_MAX_ABS, open_session, token_difference
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.runs import file_sha256
from cerebellum_trainer.vit import VisionTransformer, VitConfig

# Linear layers of a block in the order in which it uses them.
LINEAR = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
PARITY_IMAGES = 2


def preprocessing_of_bundle(folder: Path) -> Preprocessing:
    """How pictures must come to a bundle's encoder. Its crop is left out: that is its camera's.

    Raises: TrainerError ENCODER_UNREADABLE.
    """
    try:
        image = json.loads((folder / "policy.json").read_text(encoding="utf-8"))["image"]
        resize = image["resize"]
        if resize["widthPx"] != resize["heightPx"]:
            raise ValueError(f"pictures of {resize['widthPx']} x {resize['heightPx']} are no squares")
        return Preprocessing(
            size_px=resize["widthPx"],
            kernel=resize["kernel"],
            mean=tuple(image["mean"]),
            std=tuple(image["std"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise unreadable(folder, repr(error)) from error


def encoder_of_bundle(folder: Path) -> tuple[Encoder, Pretraining]:
    """The frozen fp32 encoder in evaluation mode, and how it was pre-trained.

    Raises: TrainerError ENCODER_UNREADABLE if the bundle is damaged, its encoder is none of ours, or the
        module computes something else than the file.
    """
    try:
        manifest = json.loads((folder / "policy.json").read_text(encoding="utf-8"))
        described = manifest["encoder"]["architecture"]
        image_px = manifest["image"]["resize"]["widthPx"]
        pretraining = manifest["encoder"]["pretraining"]
        name = next(v["encoderFile"] for v in manifest["variants"] if v["precision"] == "fp32")
        file = file_of_bundle(folder, name, manifest["files"][name])
        if file_sha256(file) != manifest["files"][name]:
            raise unreadable(folder, f"{name} is not the file that the manifest names")
        encoder = (
            packaged_cnn(folder, described["name"], image_px)
            if described.get("family") == "cnn"
            else vit_of_graph(folder, described_vit(described, image_px), onnx.load(file).graph)
        )
    except (OSError, ValueError, KeyError, TypeError, StopIteration, DecodeError) as error:
        raise unreadable(folder, repr(error)) from error
    frozen(encoder)
    check_parity(folder, encoder, file)
    return encoder, pretraining


def described_vit(described: dict, image_px: int) -> VitConfig:
    """Sizes as `VitConfig.architecture` tells them."""
    common = VitConfig(heads=1)
    return vit_config(
        {
            "heads": described["heads"],
            "image_px": image_px,
            "patch_px": described["patchPx"],
            "width": described["width"],
            "depth": described["depth"],
            "mlp_ratio": described.get("mlpRatio", common.mlp_ratio),
            "stem": described.get("stem", common.stem),
            "activation": described.get("activation", common.activation),
            "norm_eps": described.get("normEps", common.norm_eps),
            "pre_norm": described.get("preNorm", common.pre_norm),
        }
    )


def vit_of_graph(folder: Path, config: VitConfig, graph: onnx.GraphProto) -> VisionTransformer:
    if config.stem:
        raise unreadable(folder, "the exporter has folded the norms of its convolutional stem")
    encoder = VisionTransformer(config)
    weights = {
        entry.name: torch.from_numpy(onnx.numpy_helper.to_array(entry).copy()) for entry in graph.initializer
    }
    matrices = [
        weights[node.input[1]] for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights
    ]
    names = [f"blocks.{block}.{layer}.weight" for block in range(config.depth) for layer in LINEAR]
    if len(matrices) != len(names):
        raise unreadable(folder, f"it has {len(matrices)} linear layers where {len(names)} are expected")
    weights |= {key: matrix.T for key, matrix in zip(names, matrices, strict=True)}
    expected = encoder.state_dict()
    wrong = [
        key for key, value in expected.items() if key not in weights or weights[key].shape != value.shape
    ]
    if wrong:
        raise unreadable(folder, f"it lacks {', '.join(wrong)}")
    encoder.load_state_dict({key: weights[key].contiguous() for key in expected})
    return encoder


def packaged_cnn(folder: Path, name: str, image_px: int) -> Encoder:
    """The graph of a bundle has its norms folded, so the weights are taken from where they came from."""
    make, _, tap = name.partition("/")
    if make != NAME:
        raise unreadable(folder, f"its network {name} is unknown; {NAME} is expected")
    return pretrained_efficientnet(EfficientNetConfig(image_px, tap))[0]  # type: ignore[arg-type]


def file_of_bundle(folder: Path, name: str, sha256: str) -> Path:
    """Where a file of a bundle lies: in its folder, else in a bundle beside it that lists the content."""
    own = folder / name
    if own.exists():
        return own
    for manifest in sorted(folder.absolute().parent.glob("*/policy.json")):
        for file, listed in json.loads(manifest.read_text(encoding="utf-8"))["files"].items():
            if listed == sha256 and (manifest.parent / file).is_file():
                return manifest.parent / file
    return own


@torch.no_grad()
def check_parity(folder: Path, encoder: Encoder, file: Path) -> None:
    size = encoder.config.image_px
    images = torch.randn(PARITY_IMAGES, 3, size, size, generator=torch.Generator().manual_seed(0))
    session = open_session(file)
    for image in images.split(1):
        tokens = session.run(["tokens"], {"image": image.numpy()})[0]
        worst = token_difference(tokens, encoder(image).numpy())
        if not worst <= PARITY_MAX_ABS:
            raise unreadable(folder, f"its weights as read compute tokens that differ by {worst:.1e}")


def unreadable(folder: Path, why: str) -> TrainerError:
    return TrainerError(
        "ENCODER_UNREADABLE",
        f"The encoder of bundle {folder} cannot be used: {why}",
        "Run `./cerebellum policy verify` on it, or name an encoder.safetensors",
    )


def open_encoder(path: Path) -> tuple[Encoder, Pretraining, Preprocessing]:
    """The encoder, how it was pre-trained, and how pictures must come to it.

    `path`: the folder of a bundle, or what `open_named` takes: a file or a name.
    """
    if path.is_dir():
        return *encoder_of_bundle(path), preprocessing_of_bundle(path)
    return open_named(path)
