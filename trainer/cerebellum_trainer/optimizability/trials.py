"""Runs trials and remembers each as a line of JSON: an interrupted comparison goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.optimizability.plan import STEMS, PlanConfig, Stem, Trial
from cerebellum_trainer.pictures.classify import Optimiser, Recipe, error_share, train_classifier
from cerebellum_trainer.pictures.draw import FACTORS, PicturesConfig, PictureSet, draw_pictures
from cerebellum_trainer.training.seeds import reseed
from cerebellum_trainer.training.world import World
from cerebellum_trainer.vit import VisionTransformer, VitConfig

INITIAL_STREAM = 3


def print_line(line: str) -> None:
    print(line, flush=True)


class Classifier(nn.Module):
    """A Transformer and a linear layer on its class token."""

    def __init__(self, config: VitConfig, classes: int) -> None:
        super().__init__()
        self.encoder = VisionTransformer(config)
        self.scores = nn.Linear(config.width, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(b, 3, size, size) normalised -> (b, classes)."""
        return self.scores(self.encoder(images)[:, 0])


@dataclass(frozen=True)
class Outcome:
    trial: Trial
    error: float
    """Share of held-out pictures whose class is missed; chance if training diverged."""
    diverged: bool
    loss: float | None
    """Of training, a mean over the last tenth of the steps; none if it diverged."""


class Trials:
    """`file` holds what was found for this plan's sizes and pictures.

    Raises: TrainerError TRIALS_OTHER if it is of others.
    """

    def __init__(
        self, plan: PlanConfig, file: Path, world: World, tell: Callable[[str], None] = print_line
    ) -> None:
        self.plan, self.file, self.world, self.tell = plan, file, world, tell
        self.done = self._read()

    @cached_property
    def known(self) -> PictureSet:
        return self._drawn(self.plan.pictures, 0)

    @cached_property
    def asked(self) -> PictureSet:
        return self._drawn(self.plan.asked, 1)

    def _drawn(self, count: int, place: int) -> PictureSet:
        return draw_pictures(count, 10 * self.plan.seed + place, PicturesConfig(self.plan.sizes.image_px))

    def _common(self) -> dict[str, object]:
        """What all outcomes of a file share; more samples, lengths or seeds may follow later."""
        plan = self.plan
        found = {
            "sizes": asdict(plan.sizes),
            "factor": plan.factor,
            "pictures": plan.pictures,
            "asked": plan.asked,
            "batch": plan.batch,
            "seed": plan.seed,
        }
        return json.loads(json.dumps(found))

    def _read(self) -> dict[str, Outcome]:
        if not self.file.exists():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(json.dumps(self._common()) + "\n", encoding="utf-8")
            return {}
        first, *lines = self.file.read_text(encoding="utf-8").splitlines()
        if json.loads(first) != self._common():
            raise TrainerError(
                "TRIALS_OTHER",
                f"{self.file} is of other sizes or pictures, {first} and not {json.dumps(self._common())}",
                "Name another folder with --out",
            )
        done = {}
        for line in lines:
            read = json.loads(line)
            outcome = Outcome(Trial(**read.pop("trial")), **read)
            done[outcome.trial.name()] = outcome
        return done

    def run(self, trials: Iterable[Trial]) -> list[Outcome]:
        """Outcomes in the order of the trials; only those that are not known yet are run."""
        return [self.done.get(trial.name()) or self._run(trial) for trial in trials]

    def _run(self, trial: Trial) -> Outcome:
        outcome = run_trial(trial, self)
        self.done[trial.name()] = outcome
        with self.file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(outcome)) + "\n")
        self.tell(f"{trial.name()}: error {outcome.error:.3f}{' (diverged)' if outcome.diverged else ''}")
        return outcome

    def best(self, outcomes: list[Outcome]) -> dict[tuple[Stem, Optimiser], Trial]:
        """The setting with the least error, of each stem and optimiser."""
        found: dict[tuple[Stem, Optimiser], Outcome] = {}
        for outcome in outcomes:
            key = (outcome.trial.stem, outcome.trial.optimiser)
            if key not in found or outcome.error < found[key].error:
                found[key] = outcome
        return {key: outcome.trial for key, outcome in found.items()}


def run_trial(trial: Trial, trials: Trials) -> Outcome:
    plan = trials.plan
    reseed(trial.seed, INITIAL_STREAM, STEMS.index(trial.stem))
    model = Classifier(plan.sizes.vit(trial.stem), FACTORS[plan.factor])
    recipe = Recipe(trial.optimiser, trial.learning_rate, trial.weight_decay, trial.epochs, plan.batch)
    labels = trials.known.labels[plan.factor]
    try:
        losses = train_classifier(model, trials.known.images, labels, recipe, trial.seed, trials.world)
    except TrainerError as error:
        if error.code != "LOSS_NOT_FINITE":
            raise
        return Outcome(trial, 1 - 1 / FACTORS[plan.factor], True, None)
    missed = error_share(model, trials.asked.images, trials.asked.labels[plan.factor], trials.world.device)
    return Outcome(trial, missed, False, float(np.mean(losses[-max(1, len(losses) // 10) :])))
