"""Rotations of scipy's Rotation.align_vectors for strokes that come as JSON on standard input.

In: {"strokes": [[[x, y, z] x 3], ...]}, directions in the tracker's frame; they are turned onto x, y and z.
Out: {"quats": [[x, y, z, w], ...]}.
"""

import json
import sys

import numpy as np
from scipy.spatial.transform import Rotation

strokes = [np.asarray(case, dtype=float) for case in json.load(sys.stdin)["strokes"]]
quats = []
for case in strokes:
    units = case / np.linalg.norm(case, axis=1, keepdims=True)
    rotation, _ = Rotation.align_vectors(np.eye(3), units)
    quats.append(rotation.as_quat().tolist())
json.dump({"quats": quats}, sys.stdout)
