"""Trains and measures every model of LooC's tables on drawn pictures. What is done is not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cerebellum_trainer.contrast.backbone import ConvBackbone, ConvConfig
from cerebellum_trainer.contrast.loss import chance_loss
from cerebellum_trainer.contrast.measure import Represent, Sets, SetsConfig, measure
from cerebellum_trainer.contrast.model import LoocConfig, Spaces
from cerebellum_trainer.contrast.pretrain import INITIAL_STREAM, ContrastRecipe, pretrain_contrast
from cerebellum_trainer.contrast.retrieval import nearest, shared_labels
from cerebellum_trainer.contrast.variants import MODELS, SHEET, SINGLE_SPACES, UNTRAINED, VARIANTS
from cerebellum_trainer.pictures.classify import Recipe, outputs, train_classifier
from cerebellum_trainer.pictures.draw import FACTORS
from cerebellum_trainer.pictures.samples import PictureSamples
from cerebellum_trainer.runs import thinned
from cerebellum_trainer.training.seeds import reseed
from cerebellum_trainer.training.world import World

NEIGHBOURS = 5
QUERIES = 8
# Hundredths of a run whose mean loss is the one that it ended with.
ENDING = 5


@dataclass(frozen=True)
class StudyConfig:
    sets: SetsConfig = field(default_factory=SetsConfig)
    backbone: ConvConfig = field(default_factory=ConvConfig)
    recipe: ContrastRecipe = field(default_factory=lambda: ContrastRecipe(images=76_800, batch=64))
    queue: int = 512
    """Keys of other pictures in each space."""
    momentum: float = 0.99
    """Of every model's key network."""
    seed: int = 0
    """Of weights and views."""

    def looc(self, name: str) -> LoocConfig:
        return replace(VARIANTS[name], queue=self.queue, momentum=self.momentum)


class Study:
    """Results lie in `folder`, a file for each model."""

    def __init__(
        self, config: StudyConfig, folder: Path, world: World, tell: Callable[[str], None] = print
    ) -> None:
        self.config, self.folder, self.world, self.tell = config, folder, world, tell
        self.sets = Sets.draw(config.sets)
        self.found: dict[str, np.ndarray] = {}

    def run(self, models: tuple[str, ...] = MODELS) -> dict[str, dict[str, Any]]:
        """Results by the model's name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return {name: self._result(name) for name in models}

    def _result(self, name: str) -> dict[str, Any]:
        settings = {
            **asdict(self.config),
            "looc": asdict(self.config.looc(name)) if name in VARIANTS else name,
        }
        text = json.dumps(settings, sort_keys=True, default=str)
        file = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
        if file.exists():
            result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        else:
            result = self._measured(name)
            part = file.with_suffix(".part")
            part.write_text(json.dumps({"name": name, "settings": settings, **result}, indent=1) + "\n")
            part.rename(file)
        if "neighbours" in result:
            self.found[name] = np.array(result["neighbours"])
        learnt = ""
        if name in VARIANTS:
            result["loss"] = float(np.mean(result["losses"][-ENDING:]))
            result["chance"] = chance_loss(len(VARIANTS[name].spaces), self.config.queue)
            learnt = f"loss {result['loss']:.2f} of {result['chance']:.2f}, "
        measured = result["measured"]
        self.tell(
            f"{name}: {learnt}shape {measured['shape']:.3f}, colour {measured['colour']:.3f}, "
            f"rotation {measured['rotation']:.3f}"
        )
        return result

    def _measured(self, name: str) -> dict[str, Any]:
        spaces, losses = self._trained(name)
        device = self.world.device
        represent = representation(spaces.to(device).eval(), device)
        result: dict[str, Any] = {"measured": measure(represent, self.sets), "losses": thinned(losses)}
        if name == SINGLE_SPACES:
            result["single"] = {
                space: measure(representation(spaces, device, place), self.sets, with_damage=False)
                for place, space in enumerate(VARIANTS[name].space_names)
            }
        if name in SHEET:
            asked, known = self.sets.asked, self.sets.known
            rows = nearest(represent(asked.images), represent(known.images), NEIGHBOURS)
            result["neighbours"] = rows[:QUERIES].tolist()
            factors = ("shape", "colour", "texture")
            result["alike"] = shared_labels(
                rows, {f: asked.labels[f] for f in factors}, {f: known.labels[f] for f in factors}
            )
        return result

    def _trained(self, name: str) -> tuple[Spaces, list[float]]:
        def backbone() -> ConvBackbone:
            return ConvBackbone(self.config.backbone)

        seen = self.sets.seen
        if name in VARIANTS:
            model, losses = pretrain_contrast(
                PictureSamples(seen.images),
                backbone,
                self.config.looc(name),
                self.config.recipe,
                self.config.seed,
                self.world,
            )
            return model.query, losses
        reseed(self.config.seed, INITIAL_STREAM)
        spaces = Spaces(backbone(), LoocConfig(augmentations=(), spaces=()))
        if name == UNTRAINED:
            return spaces, []
        recipe = self.config.recipe
        scores = nn.Linear(self.config.backbone.widths[-1], FACTORS["shape"])
        classifier = nn.Sequential(spaces.early, spaces.late[0], scores)
        losses = train_classifier(
            classifier,
            seen.images,
            seen.labels["shape"],
            Recipe(
                learning_rate=recipe.learning_rate,
                weight_decay=recipe.weight_decay,
                epochs=recipe.images / len(seen),
                batch=recipe.batch,
                augmentations=("colour", "frame", "blur"),
            ),
            self.config.seed,
            self.world,
        )
        return spaces, losses


def representation(spaces: Spaces, device: torch.device, only: int | None = None) -> Represent:
    """Features that are transferred, side by side where there are several; `only` those of one space."""

    @torch.no_grad()
    def represent(images: np.ndarray) -> np.ndarray:
        def features(planes: torch.Tensor) -> torch.Tensor:
            parts = spaces.features(planes)
            return torch.cat(parts if only is None else parts[only : only + 1], dim=1)

        return outputs(features, images, device)

    return represent
