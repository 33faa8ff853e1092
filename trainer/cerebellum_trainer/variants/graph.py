"""ONNX graphs, as far as quantising and joining them needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from cerebellum_trainer.controller import Feature


@dataclass(frozen=True)
class Product:
    """A matrix product of an activation with weights: its node, and the activation."""

    node: str
    activation: str


def products(model: onnx.ModelProto) -> list[Product]:
    """In the order of the graph. Products of two activations, as in attention, are none."""
    weights = {entry.name for entry in model.graph.initializer}
    return [
        Product(node.name, node.input[0])
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1] in weights
    ]


def with_outputs(model: onnx.ModelProto, tensors: Sequence[str]) -> onnx.ModelProto:
    """The same graph, which also gives these float32 tensors out."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    there = {value.name for value in watched.graph.output}
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in dict.fromkeys(tensors)
        if name not in there
    )
    return watched


def selection(feature: Feature, tokens: onnx.ValueInfoProto, chosen: onnx.ValueInfoProto) -> onnx.GraphProto:
    """`select_feature` as a graph: from (1, 1 + patches, width) to what the controller receives."""
    helper = onnx.helper
    if feature == "class-token":
        index = helper.make_tensor("first", onnx.TensorProto.INT64, [], [0])
        nodes, constants = (
            [helper.make_node("Gather", [tokens.name, "first"], [chosen.name], axis=1)],
            [index],
        )
    else:
        bounds = {"start": 1, "end": 2**31 - 1, "axis": 1}
        constants = [
            helper.make_tensor(key, onnx.TensorProto.INT64, [1], [value]) for key, value in bounds.items()
        ]
        nodes = [helper.make_node("Slice", [tokens.name, *bounds], [chosen.name])]
    return helper.make_graph(nodes, "selection", [tokens], [chosen], constants)


def fuse(encoder_file: Path, controller_file: Path, feature: Feature, out: Path) -> None:
    """Writes one graph: image (1, 3, height, width) and state (1, joints) to action (1, joints)."""
    encoder, controller = onnx.load(encoder_file), onnx.load(controller_file)
    opsets = {entry.domain: entry for model in (encoder, controller) for entry in model.opset_import}
    select = onnx.helper.make_model(
        selection(feature, encoder.graph.output[0], controller.graph.input[0]),
        opset_imports=[opsets[""]],
        ir_version=encoder.ir_version,
    )
    controller.ir_version = encoder.ir_version
    for model in (encoder, select, controller):
        del model.opset_import[:]
        model.opset_import.extend(opsets.values())
    encoder = onnx.compose.add_prefix(encoder, "encoder.", rename_inputs=False, rename_outputs=False)
    select = onnx.compose.add_prefix(select, "select.", rename_inputs=False, rename_outputs=False)
    controller = onnx.compose.add_prefix(controller, "controller.", rename_inputs=False, rename_outputs=False)
    seeing = onnx.compose.merge_models(encoder, select, io_map=[("tokens", "tokens")])
    policy = onnx.compose.merge_models(seeing, controller, io_map=[("feature", "feature")])
    policy.graph.name = "policy"
    policy.producer_name = "cerebellum-trainer"
    onnx.checker.check_model(policy, full_check=True)
    out.write_bytes(policy.SerializeToString(deterministic=True))
