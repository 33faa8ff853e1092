"""Parameters, flops and activations of an encoder, counted on the module itself as table 2.1 counts them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from cerebellum_trainer.encoders.encoder import Encoder
from cerebellum_trainer.vit import Attention


@dataclass(frozen=True)
class Complexity:
    """For one picture. A flop is one multiplication with its addition."""

    parameters: int
    flops: int
    activations: int
    """Numbers that convolutions, linear layers and the two products of an attention put out."""


def complexity(encoder: Encoder, classes: int = 0) -> Complexity:
    """Of an encoder on any device, `meta` too, where it costs nothing; with a linear classifier if `classes`.

    Norms and activation functions count among the parameters alone (as Dollár et al. 2021 do).
    """
    flops = activations = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal flops, activations
        if isinstance(module, Attention):
            _, tokens, width = inputs[0].shape
            flops += 2 * tokens**2 * width
            activations += module.heads * tokens**2 + tokens * width
        elif isinstance(module, nn.Linear | nn.Conv2d):
            # Weights that make one number of the output: all but the first axis.
            flops += output.numel() * module.weight[0].numel()
            activations += output.numel()

    hooks = [module.register_forward_hook(count) for module in encoder.modules()]
    try:
        side, device = encoder.config.image_px, next(encoder.parameters()).device
        with torch.no_grad():
            encoder(torch.zeros(1, 3, side, side, device=device))
    finally:
        for hook in hooks:
            hook.remove()
    head = encoder.config.width * classes
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    return Complexity(parameters + head + classes, flops + head, activations + classes)
