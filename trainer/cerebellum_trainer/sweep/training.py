"""One run of a sweep: settings and demonstrations in, a policy bundle and its held-out error out."""

from __future__ import annotations

import dataclasses
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cerebellum_trainer import VERSION
from cerebellum_trainer.bundle import ClonedPolicy, PolicyDescription, write_bundle
from cerebellum_trainer.clone import clone, held_out_error
from cerebellum_trainer.controller import Controller
from cerebellum_trainer.dataset import Dataset
from cerebellum_trainer.encoders.encoder import Encoder
from cerebellum_trainer.encoders.registry import untrained
from cerebellum_trainer.features import encode_images, encoder_sha256, training_tokens
from cerebellum_trainer.finetune import clone_and_finetune
from cerebellum_trainer.frozen import open_encoder
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.runs import thinned, versions
from cerebellum_trainer.sweep.demonstrations import Demonstrations, of_episodes, read_demonstrations
from cerebellum_trainer.sweep.plan import EncoderSource, Run, SweepPlan
from cerebellum_trainer.variants.offer import ExportConfig

SCHEMA = "cerebellum/sweep-run@1"
RECORD = "run.json"
BUNDLE = "bundle"


@dataclass(frozen=True)
class OpenEncoder:
    model: Encoder
    pretraining: str
    preprocessing: Preprocessing
    source: EncoderSource


class Trainer:
    """Opens encoders and reads demonstrations when a run first needs them, and keeps the newest."""

    def __init__(self, sweep: SweepPlan, features: Path) -> None:
        self._sweep, self._features = sweep, features
        self._encoders: dict[str, OpenEncoder] = {}
        self._read: tuple[object, Demonstrations] | None = None

    def encoder(self, name: str) -> OpenEncoder:
        if name not in self._encoders:
            source = self._sweep.encoders[name]
            if source.path is not None:
                self._encoders[name] = OpenEncoder(*open_encoder(source.path), source)
            else:
                like = self.encoder(source.like or "")
                kind, config = type(like.model), like.model.config
                model = untrained(lambda: kind(config), source.seed)
                self._encoders[name] = OpenEncoder(model, "none", like.preprocessing, source)
        return self._encoders[name]

    def demonstrations(self, run: Run) -> Demonstrations:
        sweep, settings = self._sweep, run.settings
        preprocessing = self.encoder(settings.encoder).preprocessing
        wanted = (settings.reading, preprocessing, settings.recipe.stillness)
        if self._read is None or self._read[0] != wanted:
            self._read = None
            read = read_demonstrations(
                sweep.episodes,
                sweep.task,
                settings.reading,
                preprocessing,
                sweep.rate_hz,
                settings.recipe.stillness,
                sweep.held_out,
            )
            read.dataset.body.check_is_known()
            self._read = (wanted, read)
        return self._read[1]

    def train(self, run: Run, folder: Path) -> dict:
        """Trains, writes the bundle, and returns the record, which appears only when all is there."""
        settings, seed = run.settings, run.seed
        encoder = self.encoder(settings.encoder)
        found = self.demonstrations(run)
        chosen = found.first(settings.demonstrations)
        dataset, held_out = of_episodes(found.dataset, chosen), of_episodes(found.dataset, found.held_out)
        started, spent = time.monotonic(), cpu_s()
        controller_config = settings.controller.fit(dataset.body)
        model = encoder.model
        if encoder.source.trained:
            model, controller, losses = clone_and_finetune(
                encoder.model,
                dataset,
                controller_config,
                settings.recipe,
                settings.finetuning,
                settings.relighting,
                seed,
                tell_step(run.name),
            )
            tokens, fresh = encode_images(model, dataset.images), encode_images(model, held_out.images)
        else:
            all_tokens = training_tokens(
                model,
                found.dataset.images,
                found.dataset.sha256,
                found.dataset.preprocessing,
                settings.reading.camera,
                settings.relighting,
                seed,
                self._features,
                controller_config.feature,
            )
            is_chosen = torch.isin(found.dataset.episode, torch.tensor(chosen))
            is_held_out = torch.isin(found.dataset.episode, torch.tensor(found.held_out))
            controller, losses = clone(
                all_tokens[:, is_chosen],
                dataset.state,
                dataset.action,
                dataset.hold,
                dataset.still,
                controller_config,
                settings.recipe,
                seed,
                dataset.body.is_compliant,
                dataset.moves_gripper,
            )
            tokens, fresh = all_tokens[0, is_chosen], all_tokens[0, is_held_out]
        results = {
            "demonstrations": len(chosen),
            "frames": len(dataset.images),
            "lossLast": sum(losses[-10:]) / len(losses[-10:]),
            "losses": thinned(losses),
            "trainingError": error_of(controller, tokens, dataset),
            "heldOutError": error_of(controller, fresh, held_out),
            "wallS": round(time.monotonic() - started, 1),
            "cpuS": round(cpu_s() - spent, 1),
        }
        pretraining = encoder.pretraining
        policy = ClonedPolicy(
            model,
            pretraining,
            controller,
            dataset,
            self._sweep.task,
            settings.reading.camera,
            PolicyDescription(name=f"{self._sweep.task} {run.name}", rate_hz=self._sweep.rate_hz),
            f'Run "{run.name}" of sweep {self._sweep.name}, seed {seed}; encoder {encoder_said(encoder)}.',
            page_of(run, self._sweep, encoder, results),
        )
        # Trials begin with the same checks.
        export = ExportConfig(verify=self._sweep.evaluate is None)
        manifest = write_bundle(folder / BUNDLE, policy, export)
        record = {
            "schema": SCHEMA,
            "sweep": self._sweep.name,
            "name": run.name,
            "seed": seed,
            "settings": dataclasses.asdict(settings),
            "inputs": self._sweep.inputs_of(run),
            "encoder": {"sha256": encoder_sha256(model), "said": encoder_said(encoder)},
            "dataset": {"sha256": dataset.sha256, "heldOut": len(found.held_out)},
            "parityMaxAbs": manifest["provenance"]["trainingParityMaxAbs"],
            "versions": versions(),
            "results": results,
        }
        write_json(folder / RECORD, record)
        return record


def encoder_said(encoder: OpenEncoder) -> str:
    source = encoder.source
    weights = "random weights" if source.like is not None else f"pre-training {encoder.pretraining}"
    return f"{weights}, {'trained with the controller' if source.trained else 'frozen'}"


def page_of(run: Run, sweep: SweepPlan, encoder: OpenEncoder, results: dict) -> str:
    """The bundle's made.md."""
    return "\n".join(
        [
            f"# {sweep.task}: {run.name}",
            "",
            f'- A run of the sweep "{sweep.name}", seed {run.seed}; settings: run.json beside this folder.',
            f"- Encoder: {encoder_said(encoder)}.",
            f"- Demonstrations: {results['demonstrations']}, {results['frames']} frames.",
            f"- Last loss {results['lossLast']:.4f} (squared deviations of the action).",
            f"- Training took {results['cpuS']} s of CPU.",
            f"- Made by cerebellum-trainer {VERSION}, torch {torch.__version__}.",
            "",
        ]
    )


@torch.no_grad()
def error_of(controller: Controller, tokens: torch.Tensor, dataset: Dataset) -> dict[str, float]:
    return held_out_error(controller, tokens, dataset.state, dataset.action, dataset.hold)


def cpu_s() -> float:
    """CPU time of this process so far [s]: on a busy computer the honest figure."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def tell_step(name: str) -> Callable[[int, int, float], None]:
    def tell(step: int, steps: int, loss: float) -> None:
        if step % 20 == 0 or step + 1 == steps:
            print(f"  {name}: step {step + 1}/{steps} loss {loss:.4f}", flush=True)

    return tell


def write_json(path: Path, content: object) -> None:
    """All of it or nothing: a run that is cut off leaves no record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    part.rename(path)
