"""Writes preprocess.json: what PyTorch makes of one random image under several crops, sizes and kernels.

Run from the repository root:  .trainer/venv/bin/python policies/vectors/makePreprocessVectors.py
Values are computed in float64 by torch.nn.functional.interpolate, normalised, channels first, stored as float32. (In
float32 PyTorch's own sampling positions are off by about 1e-5 of a pixel value's range at ratios such as 40:23.)
"""

import base64
import json
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

WIDTH, HEIGHT = 40, 30
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
# name, crop (x, y, width, height), resize (width, height)
CASES = [
    ("halved", (6, 2, 28, 28), (14, 14)),
    ("quartered", (6, 2, 28, 28), (7, 7)),
    ("by a ratio that is no integer", (5, 3, 27, 25), (10, 8)),
    ("enlarged", (12, 11, 9, 9), (16, 12)),
    ("whole image, narrower and taller", (0, 0, 40, 30), (23, 37)),
    ("at its own size", (1, 0, 20, 10), (20, 10)),
]


def main() -> None:
    """Compute every case with both kernels and write the file."""
    pixels = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].double()
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (MEAN, STD))
    cases = []
    for name, (x, y, width, height), (to_width, to_height) in CASES:
        for kernel, antialias in (("bilinear", False), ("bilinear-antialias", True)):
            crop = image[:, :, y : y + height, x : x + width]
            small = interpolate(
                crop, size=(to_height, to_width), mode="bilinear", align_corners=False, antialias=antialias
            )
            values = ((small / 255 - mean) / std).numpy().astype("<f4")
            cases.append(
                {
                    "name": f"{name}, {kernel}",
                    "crop": {"xPx": x, "yPx": y, "widthPx": width, "heightPx": height},
                    "resize": {"widthPx": to_width, "heightPx": to_height, "kernel": kernel},
                    "float32Base64": base64.b64encode(values.tobytes()).decode(),
                }
            )
    document = {
        "source": f"torch {torch.__version__} interpolate in float64; see makePreprocessVectors.py",
        "widthPx": WIDTH,
        "heightPx": HEIGHT,
        "mean": MEAN,
        "std": STD,
        "rgb8Base64": base64.b64encode(pixels.tobytes()).decode(),
        "cases": cases,
    }
    Path(__file__).with_name("preprocess.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
