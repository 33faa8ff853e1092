"""PyTorch's side of `bench encoder`: the same vision transformers in eager mode, random weights, one image at a time.

Takes one JSON argument from benchEncoder.ts and prints one JSON list.
"""

from __future__ import annotations

import json
import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Pre-norm transformer block with fused qkv and exact GELU."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class Encoder(nn.Module):
    """Patches, class token, blocks, final norm."""

    def __init__(self, shape: dict) -> None:
        super().__init__()
        width, patch = shape["width"], shape["patchPx"]
        tokens = 1 + (shape["widthPx"] // patch) * (shape["heightPx"] // patch)
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, tokens, width))
        self.blocks = nn.Sequential(*[Block(width, shape["heads"]) for _ in range(shape["depth"])])
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        patches = self.patches(image).flatten(2).transpose(1, 2)
        return self.norm(self.blocks(torch.cat([self.class_token, patches], 1) + self.positions))


@torch.inference_mode()
def time_images_ms(shape: dict, request: dict) -> list[float]:
    """Wall time of each image [ms], after the warm-up."""
    encoder = Encoder(shape).eval()
    image = torch.randn(1, 3, shape["heightPx"], shape["widthPx"])
    for _ in range(request["warmUpImages"]):
        encoder(image)
    samples: list[float] = []
    start = time.perf_counter()
    while len(samples) < request["imagesMin"] or time.perf_counter() - start < request["secondsEach"]:
        before = time.perf_counter()
        encoder(image)
        samples.append(1000 * (time.perf_counter() - before))
    return samples


def main() -> None:
    """Measure every model with every number of threads."""
    request = json.loads(sys.argv[1])
    torch.manual_seed(1)
    rows = []
    for model, shape in request["models"].items():
        for threads in request["threads"]:
            torch.set_num_threads(threads)
            samples = sorted(time_images_ms(shape, request))
            rows.append(
                {
                    "model": model,
                    "engine": "torch-eager",
                    "precision": "fp32",
                    "intraOpThreads": threads,
                    "images": len(samples),
                    "medianMs": samples[math.ceil(0.5 * len(samples)) - 1],
                    "p99Ms": samples[math.ceil(0.99 * len(samples)) - 1],
                }
            )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
