"""Commands of the trainer. Each leaves a JSON record of its run beside its result.

pretrain: corpus -> frozen encoder. clone: episodes -> controller and bundle. report: the same data with the
controls that a result must stand beside. reach-block: pretrain and clone. history: the bundle of a policy
that takes a history of observations and actions, from weights that are there already.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
import tyro

from cerebellum_trainer import VERSION
from cerebellum_trainer.bundle import DESCRIPTIONS, PolicyDescription, write_bundle
from cerebellum_trainer.clone import CloneConfig, clone, held_out_error
from cerebellum_trainer.controller import ControllerConfig
from cerebellum_trainer.dataset import Dataset, read_dataset
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.features import encoder_sha256, training_tokens
from cerebellum_trainer.frozen import encoder_of_bundle, preprocessing_of_bundle
from cerebellum_trainer.history.bundle import Weights, write_history_bundle
from cerebellum_trainer.history.manifest import policy_of_manifest
from cerebellum_trainer.history.shipped import SHIPPED
from cerebellum_trainer.images import Preprocessing
from cerebellum_trainer.mae import MaeConfig, open_corpora, pretrain, reconstruction_sheet
from cerebellum_trainer.relight import Relighting
from cerebellum_trainer.runs import file_sha256, thinned, write_run
from cerebellum_trainer.samples import Reading
from cerebellum_trainer.vit import VisionTransformer, VitConfig, load_encoder, save_encoder

WORK = Path(".cerebellum/training")
ACTIONS = {
    "label": "the teacher's clean command of each step",
    "sent": "what was sent one period after the image, minus the position measured at its time",
    "path": "where the robot was led next, a whole step or as far as it came, minus the position measured",
}


@dataclass(frozen=True)
class Pretrain:
    """Pre-trains the encoder as a masked autoencoder on rendered images."""

    corpus: tuple[Path, ...]
    """(n, size, size, 3) uint8 .npy, as the corpus renderer writes it; several, of several cells, as one."""
    out: Path = WORK / "encoder"
    vit: VitConfig = field(default_factory=lambda: VitConfig(heads=3))
    mae: MaeConfig = field(default_factory=MaeConfig)
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Clone:
    """Trains the controller on recorded episodes and writes the policy bundle."""

    episodes: Path
    """Folder of a set: it holds episode-000001, episode-000002 and so on."""
    encoder: Path = WORK / "encoder" / "encoder.safetensors"
    """Frozen encoder: a file of the pretrain command, or the folder of a policy bundle."""
    out: Path | None = None
    """Folder of the bundle; policies/bundles/TASK when none is named."""
    task: str = "reach-block"
    reading: tyro.conf.OmitArgPrefixes[Reading] = field(default_factory=Reading)
    controller: ControllerConfig = field(default_factory=ControllerConfig)
    recipe: CloneConfig = field(default_factory=CloneConfig)
    relighting: Relighting = field(default_factory=Relighting)
    policy: PolicyDescription = field(default_factory=PolicyDescription)
    features: Path = WORK / "features"
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Report:
    """Held-out action error of the policy beside its controls: untrained encoder, class token; no bundle."""

    episodes: Path
    encoder: Path = WORK / "encoder" / "encoder.safetensors"
    out: Path = WORK / "report.json"
    task: str = "reach-block"
    reading: tyro.conf.OmitArgPrefixes[Reading] = field(default_factory=Reading)
    rate_hz: float = 5.0
    """Of the policy; actions "sent" are derived at it."""
    held_out: int = 8
    """Last episodes that are kept from training."""
    recipe: CloneConfig = field(default_factory=CloneConfig)
    relighting: Relighting = field(default_factory=Relighting)
    features: Path = WORK / "features"
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class ReachBlock:
    """Everything: pre-trains the encoder unless it is there already, clones, writes the bundle."""

    episodes: Path
    corpus: Path
    reading: tyro.conf.OmitArgPrefixes[Reading] = field(default_factory=Reading)
    out: Path = Path("policies/bundles/reach-block")
    work: Path = WORK
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class History:
    """Writes the bundle of a history policy: a shipped one, or one's own from a manifest and a state dict."""

    policy: tyro.conf.Positional[str]
    """digit-random, digit-stand, or a policy.json that names slots, sizes, history and start."""
    out: Path | None = None
    """Folder of the bundle; policies/bundles/NAME when none is named."""
    state_dict: Path | None = None
    """PyTorch file of the network's weights (torch.save of state_dict()); random ones without it."""
    inference: Literal["full-window", "cached-embedding"] | None = None
    seed: int = 0
    threads: int = 1


def run_history(config: History) -> Path:
    """Returns the bundle's folder."""
    torch.set_num_threads(config.threads)
    inference = "full-window"
    if config.policy in SHIPPED:
        policy, sizes, weights, notes = SHIPPED[config.policy]()
    else:
        origin = "trained" if config.state_dict else "random"
        policy, sizes, inference = policy_of_manifest(Path(config.policy), origin)
        weights = Weights(config.seed, config.state_dict)
        notes = f"From {Path(config.policy).name}."
    out = config.out or Path("policies/bundles") / policy.name
    manifest = write_history_bundle(out, policy, sizes, weights, config.inference or inference, notes)
    print(f"{out}: {manifest['kind']}, {manifest['parameters']} weights, motion {manifest['motion']}")
    return out


def run_pretrain(config: Pretrain) -> Path:
    """Returns the encoder's file."""
    torch.set_num_threads(config.threads)
    preprocessing = Preprocessing(size_px=config.vit.image_px)
    corpus = open_corpora(config.corpus, config.vit.image_px)
    started = time.monotonic()

    def tell(step: int, steps: int, loss: float) -> None:
        if step % 25 == 0 or step + 1 == steps:
            rate = (step + 1) * config.mae.batch / (time.monotonic() - started)
            print(f"step {step + 1}/{steps} loss {loss:.4f} {rate:.0f} images/s", flush=True)

    model, losses = pretrain(corpus, config.vit, config.mae, preprocessing, config.seed, tell)
    file = config.out / "encoder.safetensors"
    save_encoder(model.encoder, file, "mae")
    sheet = reconstruction_sheet(model, corpus[:: max(1, len(corpus) // 8)][:8], preprocessing, config.seed)
    sheet.save(config.out / "reconstructions.png")
    results = {
        "encoderSha256": encoder_sha256(model.encoder),
        "corpusImages": len(corpus),
        "wallS": round(time.monotonic() - started, 1),
        "lossFirst": losses[0],
        "lossLast": sum(losses[-20:]) / len(losses[-20:]),
        "losses": thinned(losses),
    }
    inputs = {f"corpus{place}": file_sha256(file) for place, file in enumerate(config.corpus)}
    write_run(config.out / "run.json", "pretrain", config, inputs, results)
    print(f"loss {results['lossFirst']:.3f} -> {results['lossLast']:.3f}, {file}")
    return file


def run_clone(config: Clone) -> Path:
    """Returns the bundle's folder."""
    torch.set_num_threads(config.threads)
    out = config.out or Path("policies/bundles") / config.task
    encoder, pretraining, preprocessing = open_encoder(config.encoder)
    dataset = read_dataset(
        config.episodes,
        config.task,
        config.reading,
        preprocessing,
        config.policy.rate_hz,
        config.recipe.stillness,
    )
    dataset.body.check_is_known()
    print(
        f"{dataset.episodes} episodes, {len(dataset.images)} frames of {dataset.body.name} "
        f"({len(dataset.body.joints)} joints)",
        flush=True,
    )
    tokens = training_tokens(
        encoder,
        dataset.images,
        dataset.sha256,
        dataset.preprocessing,
        config.reading.camera,
        config.relighting,
        config.seed,
        config.features,
    )
    started = time.monotonic()
    controller, losses = clone(
        tokens,
        dataset.state,
        dataset.action,
        dataset.hold,
        dataset.still,
        config.controller.fit(dataset.body),
        config.recipe,
        config.seed,
        dataset.body.is_compliant,
    )
    results = {
        "wallS": round(time.monotonic() - started, 1),
        "episodes": dataset.episodes,
        "frames": len(dataset.images),
        "holdFrames": int(dataset.hold.sum()),
        "lossLast": losses[-1],
        "losses": thinned(losses),
        "trainingError": held_out_error(controller, tokens[0], dataset.state, dataset.action, dataset.hold),
    }
    notes = (
        f"Cloned from {_actions(config.reading)}, seed {config.seed}, {config.recipe.epochs} epochs, "
        f"feature noise {config.recipe.feature_noise}{_finger_noise(config, dataset)}; "
        f"encoder {encoder_sha256(encoder)[:12]} ({pretraining})."
    )
    made = _describe(config, results, dataset, pretraining)
    manifest = write_bundle(
        out,
        encoder,
        pretraining,
        controller,
        dataset,
        config.task,
        config.reading.camera,
        config.policy,
        notes,
        made,
    )
    results["parityMaxAbs"] = manifest["provenance"]["trainingParityMaxAbs"]
    inputs = {"dataset": dataset.sha256, "encoder": encoder_sha256(encoder)}
    write_run(config.features.parent / "clone.json", "clone", config, inputs, results)
    print(
        f"{results['episodes']} episodes, {results['frames']} frames, loss {losses[-1]:.4f}, "
        f"parity {results['parityMaxAbs']:.1e}, {out}"
    )
    return out


def run_report(config: Report) -> dict:
    """Returns the table that it prints."""
    torch.set_num_threads(config.threads)
    trained, pretraining, preprocessing = open_encoder(config.encoder)
    torch.manual_seed(config.seed)
    untrained = VisionTransformer(trained.config).eval().requires_grad_(False)
    data = read_dataset(
        config.episodes, config.task, config.reading, preprocessing, config.rate_hz, config.recipe.stillness
    )
    if not 0 < config.held_out < data.episodes:
        raise TrainerError(
            "DATASET_SMALL",
            f"{config.held_out} of {data.episodes} episodes held out leave nothing on one side",
            "Change --held-out or record more",
        )
    kept = data.episode < data.episodes - config.held_out
    rows = {}
    for name, encoder, feature in (
        (f"{pretraining}, patch tokens", trained, "patch-tokens"),
        ("untrained, patch tokens", untrained, "patch-tokens"),
        (f"{pretraining}, class token", trained, "class-token"),
    ):
        tokens = training_tokens(
            encoder,
            data.images,
            data.sha256,
            data.preprocessing,
            config.reading.camera,
            config.relighting,
            config.seed,
            config.features,
        )
        controller, _ = clone(
            tokens[:, kept],
            data.state[kept],
            data.action[kept],
            data.hold[kept],
            data.still[kept],
            ControllerConfig(feature=feature).fit(data.body),
            config.recipe,
            config.seed,
        )
        rows[name] = held_out_error(
            controller, tokens[0, ~kept], data.state[~kept], data.action[~kept], data.hold[~kept]
        )
        print(f"{name}: " + ", ".join(f"{key} {value:.4f}" for key, value in rows[name].items()), flush=True)
    write_run(
        config.out, "report", config, {"dataset": data.sha256, "encoder": encoder_sha256(trained)}, rows
    )
    return rows


def open_encoder(path: Path) -> tuple[VisionTransformer, str, Preprocessing]:
    """The encoder, how it was pre-trained, and how pictures must come to it."""
    if path.is_dir():
        return *encoder_of_bundle(path), preprocessing_of_bundle(path)
    encoder, pretraining = load_encoder(path)
    return encoder, pretraining, Preprocessing(size_px=encoder.config.image_px)


def run_reach_block(config: ReachBlock) -> Path:
    encoder = config.work / "encoder" / "encoder.safetensors"
    if not encoder.exists():
        run_pretrain(Pretrain((config.corpus,), out=encoder.parent, seed=config.seed, threads=config.threads))
    return run_clone(
        Clone(
            config.episodes,
            encoder=encoder,
            reading=config.reading,
            out=config.out,
            features=config.work / "features",
            seed=config.seed,
            threads=config.threads,
        )
    )


def main() -> int:
    """Runs one command; expected trouble is one line on standard error and exit code 1."""
    chosen = tyro.cli(Pretrain | Clone | Report | ReachBlock | History, prog="cerebellum train")
    try:
        RUNNERS[type(chosen)](chosen)
    except TrainerError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1
    return 0


RUNNERS = {
    Pretrain: run_pretrain,
    Clone: run_clone,
    Report: run_report,
    ReachBlock: run_reach_block,
    History: run_history,
}


def _actions(reading: Reading) -> str:
    said = ACTIONS[reading.actions]
    if reading.actions == "sent" and reading.lead_ms > 0:
        said += f", {reading.lead_ms:g} ms further ahead"
    if reading.actions == "path":
        steps = f"{reading.step_rad:g} rad (fingers {reading.finger_step_rad:g})"
        said += f", steps of {steps} within {reading.path_s:g} s"
    if reading.actions != "label" and reading.phases > 1:
        said += f", on {reading.phases} grids within a period"
    return said


def _flags(reading: Reading) -> str:
    flags = [f"--actions {reading.actions}"]
    if reading.lead_ms > 0:
        flags.append(f"--lead-ms {reading.lead_ms:g}")
    if reading.actions == "path":
        flags.append(
            f"--step-rad {reading.step_rad:g} --finger-step-rad {reading.finger_step_rad:g} "
            f"--path-s {reading.path_s:g}"
        )
    if reading.phases > 1:
        flags.append(f"--phases {reading.phases}")
    if reading.robots:
        flags.append(f"--robots {' '.join(reading.robots)}")
    if reading.crop is not None:
        flags.append(f"--crop {' '.join(map(str, reading.crop))}")
    return " ".join([*flags, f"--camera {reading.camera}"])


def _finger_noise(config: Clone, dataset: Dataset) -> str:
    noise = config.recipe.finger_noise_rad
    return f", finger noise {noise} rad" if any(dataset.body.is_compliant) and noise else ""


def _describe(config: Clone, results: dict, dataset: Dataset, pretraining: str) -> str:
    """The page `made.md`: how the bundle came about, for people."""
    pretrain_record = config.encoder.parent / "run.json"
    if config.encoder.is_dir():
        how = f"that of bundle {config.encoder.name}, whose encoder this is"
    elif pretrain_record.exists():
        how = _describe_pretraining(pretrain_record)
    else:
        how = "no record beside the encoder"
    lines = [
        f"# {config.policy.name or config.task}",
        "",
        config.policy.description or DESCRIPTIONS.get(config.task, f"Does {config.task}."),
        "",
        f"- Demonstrations: {dataset.episodes} successful episodes, {len(dataset.images)} frames "
        f"({results['holdFrames']} of them standing still at the end); data set `{dataset.sha256}`.",
        f"- Actions: {_actions(config.reading)}.",
        f"- Encoder: frozen, pre-training {pretraining}, feature {config.controller.feature}.",
        f"- Pre-training: {how}.",
        f"- Controller: {config.recipe.epochs} epochs, batch {config.recipe.batch}, feature noise "
        f"{config.recipe.feature_noise}{_finger_noise(config, dataset)}, each frame in "
        f"{1 + config.relighting.copies} lights, seed {config.seed}, {results['wallS']} s; last loss "
        f"{results['lossLast']:.4f} (squared deviations of the action).",
        f"- Made by cerebellum-trainer {VERSION}, torch {torch.__version__}.",
        "",
        f"To make it again: `./cerebellum train clone --task {config.task} --episodes FOLDER --encoder "
        f"{'BUNDLE' if config.encoder.is_dir() else 'FILE'} {_flags(config.reading)}`.",
        "",
    ]
    return "\n".join(lines)


def _describe_pretraining(record: Path) -> str:
    found = json.loads(record.read_text(encoding="utf-8"))
    recipe, results = found["config"]["mae"], found["results"]
    return (
        f"{recipe['images']} images from a corpus of {results['corpusImages']}, mask "
        f"{recipe['mask_share']:.0%}, loss {results['lossFirst']:.3f} to {results['lossLast']:.3f}, "
        f"{results['wallS']} s"
    )
