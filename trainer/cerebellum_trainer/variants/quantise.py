"""An encoder in int8: weights per channel of each matrix product, activations per tensor while it runs.

Convolutions, norms and products of two activations stay in float32: dynamic quantisation gains nothing there.

Weights have 7 of the 8 bits. A processor without VNNI (AVX2, and AVX-512 before it) adds two products of an
unsigned activation and a signed weight in 16 bits, and a sum that does not fit is cut off without a word:
255 * 127 * 2 does not, 255 * 64 * 2 does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from cerebellum_trainer.variants.graph import products


def quantise(encoder_file: Path, out: Path, kept: Sequence[str]) -> int:
    """Writes the int8 encoder; `kept` names nodes that stay in float32.

    Returns: how many matrix products are in int8; without any, nothing is written.
    """
    model = onnx.load(encoder_file)
    chosen = [product.node for product in products(model) if product.node not in kept]
    if not chosen:
        return 0
    # Asks for a pre-processing that would fold nothing in a graph of fixed shapes.
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        quantize_dynamic(
            model,
            out,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            reduce_range=True,
            nodes_to_quantize=chosen,
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT},
        )
    finally:
        logger.setLevel(level)
    written = onnx.load(out)
    del written.metadata_props[:]
    out.write_bytes(written.SerializeToString(deterministic=True))
    return sum(node.op_type == "MatMulInteger" for node in written.graph.node)
