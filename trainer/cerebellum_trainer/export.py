"""ONNX files of a policy: `encoder.onnx` (image -> tokens) and `controller.onnx` (feature, state -> action),
fixed batch of 1. Both are compared with PyTorch through ONNX Runtime before they are accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from cerebellum_trainer.controller import Controller, select_feature
from cerebellum_trainer.encoders.encoder import Encoder
from cerebellum_trainer.errors import TrainerError

# The newest operator set that the daemon's engine (onnxruntime-node 1.30) is known to run.
OPSET = 20
PARITY_MAX_ABS = 1e-4
# A protobuf file cannot be larger than 2 GiB.
FILE_BYTES_MAX = 2_000_000_000


@dataclass(frozen=True)
class Exported:
    """Two files, and the largest difference to PyTorch over the frames compared."""

    encoder: Path
    controller: Path
    parity_max_abs: float


def export_policy(
    encoder: Encoder,
    controller: Controller,
    images: torch.Tensor,
    state: torch.Tensor,
    folder: Path,
) -> Exported:
    """Writes both files into `folder`, compared on images (n, 3, size, size) and state (n, joints).

    Raises: TrainerError EXPORT_PARITY if ONNX Runtime disagrees by more than 1e-4, EXPORT_SIZE if a file is
        larger than ONNX allows, EXPORT_OPSET if the exporter chose a newer operator set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        feature = select_feature(encoder(images[:1]), controller.config.feature)
    encoder_file, controller_file = folder / "encoder.onnx", folder / "controller.onnx"
    write_onnx(encoder, (images[:1],), ["image"], ["tokens"], encoder_file)
    write_onnx(controller, (feature, state[:1]), ["feature", "state"], ["action"], controller_file)
    parity = compare(encoder, controller, images, state, encoder_file, controller_file)
    if parity > PARITY_MAX_ABS:
        raise TrainerError(
            "EXPORT_PARITY",
            f"ONNX Runtime differs from PyTorch by {parity:.2e} (limit {PARITY_MAX_ABS:.0e})",
            "Do not ship this bundle; compare the exporter's versions with requirements.txt",
        )
    return Exported(encoder_file, controller_file, parity)


def write_onnx(
    model: nn.Module, example: tuple[torch.Tensor, ...], inputs: list[str], outputs: list[str], path: Path
) -> None:
    """One self-contained file with static shapes, checked, without the exporter's debugging notes."""
    program = torch.onnx.export(
        model.eval(),
        example,
        input_names=inputs,
        output_names=outputs,
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    assert program is not None, "the exporter that traces answers with a program"
    proto = program.model_proto
    strip_notes(proto)
    onnx.checker.check_model(proto, full_check=True)
    opset = max(entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx"))
    if opset > OPSET:
        raise TrainerError(
            "EXPORT_OPSET", f"{path.name} uses operator set {opset}, not {OPSET}", "Pin the exporter"
        )
    data = proto.SerializeToString()
    if len(data) > FILE_BYTES_MAX:
        raise TrainerError(
            "EXPORT_SIZE",
            f"{path.name} has {len(data)} bytes (limit {FILE_BYTES_MAX})",
            "Use a smaller encoder: a ViT-L has 1.2 GB",
        )
    path.write_bytes(data)


def strip_notes(proto: onnx.ModelProto) -> None:
    """Removes stack traces and source paths of the exporting machine; the graph itself is unchanged."""
    del proto.metadata_props[:]
    del proto.functions[:]
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*proto.graph.value_info, *proto.graph.input, *proto.graph.output, *proto.graph.initializer]:
        value.doc_string = ""
        del value.metadata_props[:]
    del proto.graph.metadata_props[:]


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Single-threaded CPU session."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@torch.no_grad()
def compare(
    encoder: Encoder,
    controller: Controller,
    images: torch.Tensor,
    state: torch.Tensor,
    encoder_file: Path,
    controller_file: Path,
) -> float:
    """Largest difference in tokens and in actions [rad], whole chain, frame by frame."""
    encode, control = open_session(encoder_file), open_session(controller_file)
    worst = 0.0
    for at in range(len(images)):
        image, joints = images[at : at + 1], state[at : at + 1]
        tokens = encode.run(["tokens"], {"image": image.numpy()})[0]
        feature = select_feature(torch.from_numpy(tokens), controller.config.feature)
        action = control.run(["action"], {"feature": feature.numpy(), "state": joints.numpy()})[0]
        expected_tokens = encoder(image)
        expected = controller(select_feature(expected_tokens, controller.config.feature), joints)
        worst = max(
            worst,
            token_difference(tokens, expected_tokens.numpy()),
            float(np.abs(action - expected.numpy()).max()),
        )
    return worst


def token_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest absolute difference; of tokens larger than 1 (no norm ends a CNN) over their RMS."""
    size = max(1.0, float(np.sqrt(np.square(expected).mean())))
    return float(np.abs(found - expected).max()) / size
