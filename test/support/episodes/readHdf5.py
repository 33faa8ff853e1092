#!/usr/bin/env python3
"""Prints everything in a robomimic file as h5py sees it, as JSON.

usage: readHdf5.py FILE.hdf5
"""

import base64
import json
import sys

import h5py


def plain(value):
    return value.item() if hasattr(value, "item") else value


def main():
    with h5py.File(sys.argv[1], "r") as file:
        demos = {}
        for name in sorted(file["data"], key=lambda demo: int(demo.removeprefix("demo_"))):
            datasets = {}

            def visit(path, found, datasets=datasets):
                if isinstance(found, h5py.Dataset):
                    values = found[()]
                    is_picture = found.dtype == "uint8"
                    datasets[path] = {
                        "shape": found.shape,
                        "dtype": str(found.dtype),
                        "chunks": found.chunks,
                        "compression": found.compression,
                        "values": base64.b64encode(values.tobytes()).decode() if is_picture else values.reshape(-1).tolist(),
                    }

            file["data"][name].visititems(visit)
            attributes = {key: plain(value) for key, value in file["data"][name].attrs.items()}
            demos[name] = {"attributes": attributes, "datasets": datasets}
        print(
            json.dumps(
                {
                    "data": {key: plain(value) for key, value in file["data"].attrs.items()},
                    "demos": demos,
                    "mask": {key: [name.decode() for name in found[:]] for key, found in file["mask"].items()},
                }
            )
        )


main()
