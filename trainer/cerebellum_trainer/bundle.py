"""A policy bundle: ONNX files, goldens and `policy.json`, in the daemon's schema cerebellum/policy@1.

Goldens are real frames of the training set with what PyTorch computed for them. The daemon replays them
through its own preprocessing and engine before it lets the policy move anything.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cerebellum_trainer import VERSION
from cerebellum_trainer.controller import Controller, select_feature
from cerebellum_trainer.daemon import daemon_is_built, describe_verified, verify_in_daemon
from cerebellum_trainer.dataset import Dataset
from cerebellum_trainer.devices import Body
from cerebellum_trainer.encoders.encoder import Encoder
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.export import export_policy
from cerebellum_trainer.provenance import code_version, recordings_section
from cerebellum_trainer.runs import file_sha256
from cerebellum_trainer.staging import replaced
from cerebellum_trainer.variants.measure import Frames
from cerebellum_trainer.variants.offer import ExportConfig, Offer, offer_variants, spread

SCHEMA = "cerebellum/policy@1"
TOLERANCE_IMAGE = 1e-4
TOLERANCE_ACTION_RAD = 1e-4
SAMPLES = 64
PARITY_FRAMES = 8
GRIPPER_STATE = {"name": "gripper", "unit": "m", "source": "gripper-opening"}
# A gripper that is only ever asked for so many openings is asked for these by the policy too.
LEVELS_MAX = 3
VARIANT_LINE = re.compile(r"- Variant (fp32|int8)\b")
DESCRIPTIONS = {
    "close-fridge": "Pushes the open door of the fridge that the wrist camera sees, until it is shut.",
    "pick-cube": "Picks up the red cube that the wrist camera sees, and holds it.",
    "reach-block": "Moves the tool to the red block that the wrist camera sees, and stays there.",
    "pick-fruit": "Picks up the fruit that the wrist camera sees, and holds it.",
    "finger-reach": "Moves the index finger's tip to the top of the object on the palm, and stays there.",
    "cube-flip": "Turns the cube on the palm onto another face.",
}
# The opening as demonstrations begin, where it is not the usual one: the fingers are in the picture [m].
START_OPENINGS_M = {"close-fridge": 0.0}
START_OPENING_M = 0.08


@dataclass(frozen=True)
class PolicyDescription:
    """What the manifest says beyond the networks. What is left open follows from task and episodes."""

    name: str | None = None
    """The task's name."""
    description: str | None = None
    """A sentence for people."""
    rate_hz: float = 5.0
    """Answers a second [Hz]."""
    # Two and a half periods: one late or lost frame does not end the motion, two do.
    expiry_ms: float | None = None
    """How long an answer counts [ms]; two and a half periods when none is named."""
    action_clip_rad: float | None = None
    """Bounds each joint's delta a step [rad]; 0.15 for an arm, 0.8 for fingers when none is named."""
    gripper_opening_m: float | None = None
    """Of the start pose, where there is a gripper [m]; as demonstrations begin when none is named."""

    def start_opening_m(self, task: str) -> float:
        if self.gripper_opening_m is not None:
            return self.gripper_opening_m
        return START_OPENINGS_M.get(task, START_OPENING_M)


@dataclass(frozen=True)
class ClonedPolicy:
    """What a bundle is made of."""

    encoder: Encoder
    pretraining: str
    controller: Controller
    dataset: Dataset
    task: str
    # The camera's name in the cell.
    camera_role: str
    description: PolicyDescription
    # One line of the manifest, and the page `made.md`: how the bundle came about, for people.
    notes: str
    made: str


def write_bundle(folder: Path, policy: ClonedPolicy, export: ExportConfig | None = None) -> dict:
    """Writes the bundle in place of an older one, once all of it is there. Returns the manifest.

    Raises: TrainerError of `export_policy` and `offer_variants`, BUNDLE_REFUSED by the daemon's loader;
        DATASET_SMALL if there are fewer than two golden frames.
    """
    with replaced(folder) as making:
        return fill_bundle(making, policy, export or ExportConfig())


def fill_bundle(folder: Path, policy: ClonedPolicy, export: ExportConfig) -> dict:
    """As `write_bundle`, into a folder that is empty."""
    encoder, controller, dataset = policy.encoder, policy.controller, policy.dataset
    task, description = policy.task, policy.description
    body = dataset.body
    chosen = torch.linspace(0, len(dataset.images) - 1, min(PARITY_FRAMES, len(dataset.images))).long()
    exported = export_policy(encoder, controller, dataset.images[chosen], dataset.state[chosen], folder)
    action = {
        "kind": "delta-joint-position",
        "unit": "rad",
        "clipRad": clip_rad(body, description.action_clip_rad),
        **({"gripper": gripper_action(dataset)} if dataset.moves_gripper else {}),
    }
    offer = offer_variants(
        folder,
        exported.encoder,
        exported.controller,
        controller.config.feature,
        frames_of(dataset, action, export.frames),
        export,
    )
    for left in {exported.encoder, exported.controller} - {*offer.files}:
        left.unlink()
    goldens = write_goldens(folder, encoder, controller, dataset)
    page = folder / "made.md"
    page.write_text(with_variants(policy.made, offer), encoding="utf-8")
    files = [*offer.files, *goldens, page]
    manifest = {
        "schema": SCHEMA,
        "kind": "bc-mlp",
        "name": description.name or task,
        "task": task,
        "description": description.description or DESCRIPTIONS.get(task, f"Does {task}."),
        "robot": {"device": body.name, "joints": list(body.joints)},
        "rateHz": description.rate_hz,
        "expiryMs": description.expiry_ms or 2500 / description.rate_hz,
        "image": image_section(dataset, policy.camera_role),
        "proprioception": [
            {"name": joint, "unit": "rad", "source": "joint-position"} for joint in body.joints
        ]
        + ([GRIPPER_STATE] if dataset.moves_gripper else []),
        "encoder": {
            "architecture": encoder.config.architecture(),
            "input": "image",
            "output": "tokens",
            "feature": controller.config.feature,
            "pretraining": policy.pretraining,
        },
        "controller": {
            "featureInput": "feature",
            "stateInput": "state",
            "output": "action",
            "hidden": list(controller.config.hidden),
        },
        "action": action,
        "start": {
            "positionRad": [round(float(value), 6) for value in dataset.start_rad],
            **({"gripperOpeningM": description.start_opening_m(task)} if dataset.has_gripper else {}),
        },
        **offer.sections(export.gate),
        "goldens": {
            "file": "goldens.json",
            "toleranceImage": TOLERANCE_IMAGE,
            "toleranceAction": TOLERANCE_ACTION_RAD,
        },
        "provenance": {
            "trainer": f"cerebellum-trainer {VERSION}, torch {torch.__version__}",
            "code": code_version(),
            "dataset": {
                "episodes": dataset.episodes,
                "frames": len(dataset.images),
                "sha256": dataset.sha256,
                **recordings_section(dataset.recordings),
            },
            "trainingParityMaxAbs": exported.parity_max_abs,
            "notes": policy.notes,
        },
        "files": {file.relative_to(folder).as_posix(): file_sha256(file) for file in files},
    }
    finish_bundle(folder, manifest, offer, export)
    return manifest


def gripper_action(dataset: Dataset) -> dict:
    """Within the openings that demonstrations asked for; only these where they are few, as of a button."""
    openings = sorted({round(float(value), 4) for value in dataset.gripper})
    if len(openings) < 2:
        raise TrainerError(
            "GRIPPER_STILL",
            f"No demonstration opens or closes the gripper: it was always asked for {openings} m",
            "Train without --gripper, or on demonstrations that use it",
        )
    levels = {"levelsM": openings} if len(openings) <= LEVELS_MAX else {}
    return {"kind": "opening", "unit": "m", "minM": openings[0], "maxM": openings[-1], **levels}


def finish_bundle(folder: Path, manifest: dict, offer: Offer, export: ExportConfig) -> None:
    """Writes the manifest and says how the variants came out; the daemon has the last word.

    Raises: TrainerError BUNDLE_REFUSED.
    """
    (folder / "policy.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    for remark in offer.remarks():
        print(remark, flush=True)
    if not export.verify:
        return
    if daemon_is_built():
        print(f"the daemon accepts it: {describe_verified(verify_in_daemon(folder))}", flush=True)
    else:
        print("no daemon is built here: `./cerebellum policy verify` has still to accept it", flush=True)


def frames_of(dataset: Dataset, action: dict, count: int) -> Frames:
    """Frames of all episodes, evenly spread. `action`: section of the manifest."""
    chosen = list(spread(len(dataset.images), count))
    joints = len(dataset.body.joints)
    clip = np.broadcast_to(np.asarray(action["clipRad"], dtype=np.float64), (joints,))
    if "gripper" in action:
        clip = np.append(clip, action["gripper"]["maxM"] - action["gripper"]["minM"])
    return Frames(dataset.images[chosen], dataset.state[chosen], dataset.sha256, clip, joints)


def with_variants(made: str, offer: Offer) -> str:
    """The page about the bundle with a line for each precision, before its last paragraph; older ones go."""
    kept = "".join(line for line in made.splitlines(keepends=True) if not VARIANT_LINE.match(line))
    lines = "".join(f"- Variant {remark}.\n" for remark in offer.remarks())
    before, again, after = kept.partition("\nTo make it again")
    return f"{before}{lines}{again}{after}"


def clip_rad(body: Body, chosen: float | None) -> float | list[float]:
    """One number where it is the same for every joint of an arm, else one for each joint."""
    clips = [chosen or device.clip_rad for device in body.devices for _ in device.joints]
    return clips if any(body.is_compliant) else clips[0]


def image_section(dataset: Dataset, camera_role: str) -> dict:
    preprocessing = dataset.preprocessing
    crop = preprocessing.crop
    return {
        "role": camera_role,
        "widthPx": preprocessing.width_px,
        "heightPx": preprocessing.height_px,
        "encoding": "rgb8",
        "crop": {"xPx": crop.x_px, "yPx": crop.y_px, "widthPx": crop.width_px, "heightPx": crop.height_px},
        "resize": {
            "widthPx": preprocessing.size_px,
            "heightPx": preprocessing.size_px,
            "kernel": preprocessing.kernel,
        },
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "mount": {
            "parentFrame": dataset.camera.parent_frame,
            "positionM": list(dataset.camera.position_m),
            "quatXyzw": list(dataset.camera.quat_xyzw),
            "fovYDeg": dataset.camera.fov_y_deg,
        },
    }


@torch.no_grad()
def write_goldens(folder: Path, encoder: Encoder, controller: Controller, dataset: Dataset) -> list[Path]:
    """Writes goldens.json and a PNG for each case. Sampled elements spread over the whole input tensor."""
    if len(dataset.golden_frames) < 2:
        raise TrainerError(
            "DATASET_SMALL", "Fewer than two episodes: no goldens", "Record more demonstrations"
        )
    files, cases = [], []
    for number, (frame, image) in enumerate(dataset.golden_frames):
        file = folder / f"golden{number}.png"
        Image.fromarray(image).save(file, optimize=True)
        files.append(file)
        inputs = dataset.images[frame]
        indices = np.linspace(0, inputs.numel() - 1, SAMPLES).astype(int)
        feature = select_feature(encoder(inputs[None]), controller.config.feature)
        action = controller(feature, dataset.state[frame][None])[0]
        cases.append(
            {
                "image": file.name,
                "state": dataset.state[frame].tolist(),
                "preprocessed": {
                    "indices": indices.tolist(),
                    "values": inputs.flatten()[indices].tolist(),
                },
                "action": action.tolist(),
            }
        )
    goldens = folder / "goldens.json"
    goldens.write_text(json.dumps({"cases": cases}, indent=1) + "\n", encoding="utf-8")
    return [*files, goldens]
