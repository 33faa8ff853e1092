r"""Loads an exported file with the released robomimic, as its training does, and compares what it gives with the file.

Not part of `npm test`: robomimic needs PyTorch, some 5 GB. Passed with robomimic 0.3.0, torch 2.11.0 and h5py 3.16.0 on
Python 3.12.1. Its other dependencies (egl_probe, simulators) are only needed for roll-outs. To run it:

    python3 -m venv /tmp/robomimic
    /tmp/robomimic/bin/pip install torch torchvision h5py psutil tqdm termcolor tensorboard tensorboardX imageio \
        imageio-ffmpeg matplotlib six
    /tmp/robomimic/bin/pip install --no-deps robomimic
    ./cerebellum episodes export robomimic SET... --rate 10 --out /tmp/export
    /tmp/robomimic/bin/python test/compat/robomimicLoad.py /tmp/export/dataset.hdf5
"""

import sys
from importlib.metadata import version

import h5py
import numpy as np
import torch
from robomimic.algo import algo_factory
from robomimic.config import config_factory
import robomimic.utils.file_utils as files
import robomimic.utils.obs_utils as observations
import robomimic.utils.torch_utils as torches
from robomimic.utils.dataset import SequenceDataset
from torch.utils.data import DataLoader

SEQUENCE = 4
LOW_DIM = ["joint_positions", "gripper_opening"]


def dataset(path, keys, mask, **changes):
    options = {
        "hdf5_path": path,
        "obs_keys": keys,
        "dataset_keys": ["actions", "actions_abs", "rewards", "dones"],
        "frame_stack": 1,
        "seq_length": SEQUENCE,
        "pad_frame_stack": True,
        "pad_seq_length": True,
        "get_pad_mask": True,
        "goal_mode": None,
        "hdf5_cache_mode": None,
        "hdf5_use_swmr": True,
        "hdf5_normalize_obs": False,
        "filter_by_attribute": mask,
        "load_next_obs": False,
    }
    return SequenceDataset(**{**options, **changes})


def check_items(path, keys, mask):
    """Every sequence of every demo of a filter key is what the file has at its place, padded at the end."""
    demos = files.get_demos_for_filter_key(path, mask)
    found = dataset(path, keys, mask)
    with h5py.File(path, "r", swmr=True, libver="latest") as file:
        lengths = [int(file[f"data/{demo}"].attrs["num_samples"]) for demo in demos]
        assert len(found) == sum(lengths), (len(found), lengths)
        order = [(demo, frame) for demo, length in zip(demos, lengths) for frame in range(length)]
        if list(found.demos) != demos:
            order = [(d, k) for d in found.demos for k in range(int(file[f"data/{d}"].attrs["num_samples"]))]
        for index, (demo, frame) in enumerate(order):
            group, item = file[f"data/{demo}"], found[index]
            rows = np.minimum(np.arange(frame, frame + SEQUENCE), group["actions"].shape[0] - 1)
            for key in ("actions", "actions_abs", "rewards", "dones"):
                np.testing.assert_array_equal(item[key], group[key][()][rows])
            for key in keys:
                np.testing.assert_array_equal(item["obs"][key], group["obs"][key][()][rows])
    return len(found)


def train_a_little(path, keys, shapes):
    """Behaviour cloning on the numbers, with robomimic's own algorithm: the loss of a few batches goes down."""
    config = config_factory("bc")
    with config.values_unlocked():
        config.observation.modalities.obs.low_dim = keys
        config.train.batch_size = 16
    observations.initialize_obs_utils_with_config(config)
    device = torches.get_torch_device(try_to_use_cuda=False)
    model = algo_factory(
        config.algo_name, config, obs_key_shapes=shapes["all_shapes"], ac_dim=shapes["ac_dim"], device=device
    )
    model.set_train()
    loader = DataLoader(dataset(path, keys, "train", seq_length=1), batch_size=16, shuffle=True)
    losses = []
    for _ in range(20):
        for batch in loader:
            batch = model.postprocess_batch_for_training(model.process_batch_for_training(batch), None)
            losses.append(float(model.train_on_batch(batch, epoch=0)["losses"]["action_loss"]))
    return losses[0], losses[-1]


def main():
    path = sys.argv[1]
    torch.manual_seed(0)
    with h5py.File(path, "r", swmr=True, libver="latest") as file:
        demo = file["data"][sorted(file["data"])[0]]
        images = [key for key in demo["obs"] if key.endswith("_image")]
        low_dim = [key for key in LOW_DIM if key in demo["obs"]]
        masks = list(file["mask"])
        actions = np.concatenate([file["data"][name]["actions"][()] for name in file["data"]])
        assert -1 <= actions.min() and actions.max() <= 1, (actions.min(), actions.max())
    observations.initialize_obs_modality_mapping_from_dict({"low_dim": low_dim, "rgb": images})
    environment = files.get_env_metadata_from_dataset(path)
    shapes = files.get_shape_metadata_from_dataset(path, all_obs_keys=low_dim + images, verbose=False)
    print(f"robomimic {version('robomimic')}, torch {torch.__version__}, h5py {version('h5py')}")
    print(f"environment {environment['env_name']}, type {environment['type']}; shapes {dict(shapes['all_shapes'])}")
    for mask in masks:
        print(f"{mask}: {check_items(path, low_dim + images, mask)} sequences as in the file")
    batch = next(iter(DataLoader(dataset(path, low_dim + images, "train"), batch_size=8, shuffle=True)))
    print("batch", {key: tuple(value.shape) for key, value in batch["obs"].items()}, tuple(batch["actions"].shape))
    low_shapes = files.get_shape_metadata_from_dataset(path, all_obs_keys=low_dim, verbose=False)
    first, last = train_a_little(path, low_dim, low_shapes)
    print(f"cloning: action loss {first:.4f} at the first batch, {last:.4f} at the last")
    assert last < first / 2, (first, last)


main()
