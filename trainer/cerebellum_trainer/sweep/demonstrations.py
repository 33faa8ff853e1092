"""The demonstrations of a sweep: several sets as one, a part that nothing is trained on, and nested subsets
of the rest. One fixed order of episodes decides both: runs differ in what the file says and in nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from cerebellum_trainer.dataset import Dataset, load_dataset, told_episodes
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.samples import Reading, Stillness, read_samples

# Of the order in which episodes are drawn.
ORDER_SEED = 0
GOLDENS = 3


@dataclass(frozen=True)
class Demonstrations:
    """A data set with its split: places of episodes, to train on (in order) and held out."""

    dataset: Dataset
    to_train: tuple[int, ...]
    held_out: tuple[int, ...]

    def first(self, count: int | None) -> tuple[int, ...]:
        """Raises: TrainerError EPISODES_MISSING if there are fewer."""
        if count is None:
            return self.to_train
        if not 0 < count <= len(self.to_train):
            raise TrainerError(
                "EPISODES_MISSING",
                f"{count} demonstrations are asked for; {len(self.to_train)} are there beside the "
                f"{len(self.held_out)} held out",
                "Record more, or ask for fewer",
            )
        return self.to_train[:count]


def read_demonstrations(
    folders: Sequence[Path],
    task: str,
    reading: Reading,
    preprocessing: Preprocessing,
    rate_hz: float,
    stillness: Stillness,
    held_out: int,
) -> Demonstrations:
    """Raises: as `read_dataset`; EPISODES_MISSING if nothing is left beside the held-out episodes."""
    episodes = told_episodes(folders, task, reading)
    read = ((episode, read_samples(episode, reading, rate_hz, stillness)) for episode in episodes)
    # A picture of each episode: whatever a subset holds, it has its goldens.
    dataset = load_dataset(read, reading, preprocessing, goldens=len(episodes))
    order = torch.randperm(dataset.episodes, generator=torch.Generator().manual_seed(ORDER_SEED)).tolist()
    kept = dataset.episodes - held_out
    if held_out < 1 or kept < 1:
        raise TrainerError(
            "EPISODES_MISSING",
            f"{held_out} of {dataset.episodes} episodes held out leave nothing on one side",
            "Change held_out, or record more",
        )
    return Demonstrations(dataset, tuple(order[:kept]), tuple(order[kept:]))


def of_episodes(dataset: Dataset, episodes: Sequence[int]) -> Dataset:
    """These episodes alone, in the order of the data set; start pose and camera are of all of it."""
    places = torch.tensor(sorted(episodes))
    chosen = torch.isin(dataset.episode, places)
    frames = torch.nonzero(chosen).flatten().tolist()
    there = {frame: place for place, frame in enumerate(frames)}
    goldens = [(there[frame], image) for frame, image in dataset.golden_frames if frame in there]
    parts = " ".join(map(str, places.tolist()))
    return replace(
        dataset,
        images=dataset.images[chosen],
        state=dataset.state[chosen],
        action=dataset.action[chosen],
        episode=torch.searchsorted(places, dataset.episode[chosen]),
        hold=dataset.hold[chosen],
        still=dataset.still[chosen],
        gripper=dataset.gripper[chosen],
        golden_frames=goldens[:GOLDENS],
        recordings=tuple(dataset.recordings[place] for place in places.tolist()),
        sha256=hashlib.sha256(f"{dataset.sha256} {parts}".encode()).hexdigest(),
    )
