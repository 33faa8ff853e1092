"""Trainer of Cerebellum: demonstrations in, policy bundle (ONNX files, manifest, goldens) out.

It shares files with the daemon, never code: recordings are MCAP, bundles are data.
"""

VERSION = "0.1.0"
