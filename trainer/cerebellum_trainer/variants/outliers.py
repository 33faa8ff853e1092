"""Channels that outshine all others at the input of a matrix product.

An activation is quantised with one step for the whole tensor, so what the largest channel needs is taken from
the others: at a ratio of r the median channel is left with 256 / r of the 256 levels. Weights per channel do
not help. Trained Vision Transformers are known for such channels (Dettmers et al., LLM.int8(), 2022, of
language models; Bondarenko et al., 2023, of both).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from cerebellum_trainer.variants.graph import products, with_outputs


def outlier_ratios(encoder_file: Path, images: torch.Tensor) -> dict[str, float]:
    """By node of each matrix product: largest magnitude in its input over that of the median channel.

    Args:
        images: (n, 3, height, width) float32, normalised.
    """
    model = onnx.load(encoder_file)
    found = products(model)
    if not found:
        return {}
    names = list(dict.fromkeys(product.activation for product in found))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        with_outputs(model, names).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    largest: dict[str, np.ndarray] = {}
    for image in images.split(1):
        for name, value in zip(names, session.run(names, {"image": image.numpy()}), strict=True):
            channels = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0)
            largest[name] = np.maximum(largest.get(name, channels), channels)
    ratio = {name: float(values.max() / max(np.median(values), 1e-12)) for name, values in largest.items()}
    return {product.node: ratio[product.activation] for product in found}
