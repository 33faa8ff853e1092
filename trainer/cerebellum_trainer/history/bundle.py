"""Bundle of a history policy: network, goldens and `policy.json`, in the daemon's schema cerebellum/policy@1.

Network and manifest carry the names of all slots, so that neither can be changed without the other.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from cerebellum_trainer import VERSION
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.export import PARITY_MAX_ABS, open_session, write_onnx
from cerebellum_trainer.history.description import JOINTS, PASSIVE, HistoryPolicy
from cerebellum_trainer.history.networks import (
    KINDS,
    HistoryNetwork,
    NetworkConfig,
    Window,
    make_network,
    parameter_count,
)
from cerebellum_trainer.history.reference import clip_output, example_run, observe, targets
from cerebellum_trainer.runs import file_sha256
from cerebellum_trainer.staging import replaced

SCHEMA = "cerebellum/policy@1"
TOLERANCE_OBSERVATION = 1e-5
TOLERANCE_ACTION = 1e-4
GOLDEN_CASES = 2
PARITY_WINDOWS = 8
NOTES = {"observation": "cerebellum.observation", "action": "cerebellum.action"}


@dataclass(frozen=True)
class Weights:
    """Where a network's weights come from."""

    seed: int = 0
    state_dict: Path | None = None
    construct: Callable[[HistoryNetwork], None] | None = None
    """Writes weights that somebody thought out over those of the seed."""


class Embedding(nn.Module):
    def __init__(self, network: HistoryNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, token: torch.Tensor) -> torch.Tensor:
        return self.network.embed(token)


class Decision(nn.Module):
    def __init__(self, network: HistoryNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, embedded: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.network.decide(embedded, mask)


def build_network(policy: HistoryPolicy, config: NetworkConfig, weights: Weights) -> HistoryNetwork:
    """Raises: TrainerError WEIGHTS_MISMATCH naming the first tensor that a state dict lacks, or its shape."""
    torch.manual_seed(weights.seed)
    window = Window(policy.steps, policy.token, len(policy.action), policy.fill == "mask")
    network = make_network(config, window).eval()
    if weights.state_dict is not None:
        found = torch.load(weights.state_dict, map_location="cpu", weights_only=True)
        for name, tensor in network.state_dict().items():
            if name not in found or found[name].shape != tensor.shape:
                shape = tuple(found[name].shape) if name in found else "nothing"
                raise TrainerError(
                    "WEIGHTS_MISMATCH",
                    f"{weights.state_dict} has {shape} for {name}, expected {tuple(tensor.shape)}",
                    "Name the sizes that the network was trained with",
                )
        network.load_state_dict(found)
    if weights.construct is not None:
        with torch.no_grad():
            weights.construct(network)
    return network


def write_history_bundle(
    folder: Path,
    policy: HistoryPolicy,
    config: NetworkConfig,
    weights: Weights,
    inference: str,
    notes: str,
) -> dict:
    """Writes the bundle in place of an older one, once all of it is there. Returns the manifest.

    Raises: TrainerError of `build_network`; EXPORT_PARITY if ONNX Runtime disagrees by more than 1e-4.
    """
    network = build_network(policy, config, weights)
    with replaced(folder) as making:
        return fill_history_bundle(making, policy, config, network, weights, inference, notes)


def fill_history_bundle(
    folder: Path,
    policy: HistoryPolicy,
    config: NetworkConfig,
    network: HistoryNetwork,
    weights: Weights,
    inference: str,
    notes: str,
) -> dict:
    """As `write_history_bundle`, of a network that is built, into a folder that is empty."""
    model, files = export_network(folder, policy, network, inference)
    parity = compare(policy, network, files, weights.seed)
    if not parity <= PARITY_MAX_ABS:
        raise TrainerError(
            "EXPORT_PARITY",
            f"ONNX Runtime differs from PyTorch by {parity:.2e} (limit {PARITY_MAX_ABS:.0e})",
            "Do not ship this bundle; compare the exporter's versions with requirements.txt",
        )
    goldens = folder / "goldens.json"
    goldens.write_text(json.dumps({"cases": golden_cases(policy, network)}) + "\n", encoding="utf-8")
    kind = next(kind for kind, form in KINDS.items() if isinstance(config, form))
    page = folder / "made.md"
    page.write_text(describe(policy, kind, network, weights, notes, parity), encoding="utf-8")
    listed = [*files, goldens, page]
    manifest = {
        "schema": SCHEMA,
        "kind": kind,
        "name": policy.name,
        "task": policy.task,
        "description": policy.description,
        "motion": policy.motion,
        "motionReason": policy.motion_reason,
        "robot": {"device": "digit", "joints": list(JOINTS), "passiveJoints": list(PASSIVE)},
        "rateHz": policy.rate_hz,
        "expiryMs": policy.expiry_ms,
        "architecture": architecture(config),
        "parameters": parameter_count(network),
        "model": model,
        "observation": [slot.as_json() for slot in policy.observation],
        "action": {
            "slots": [slot.as_json() for slot in policy.action],
            "fixed": [entry.as_json() for entry in policy.fixed],
        },
        "history": {
            "steps": policy.steps,
            "token": "observation-then-previous-action",
            "previousAction": policy.previous_action,
            "fill": policy.fill,
            "defaultAction": default_action(policy).tolist(),
        },
        **({"clock": {"periodS": policy.clock_period_s}} if policy.clock_period_s else {}),
        **({"command": policy.command.as_json()} if policy.command else {}),
        "start": policy.start.as_json(),
        "goldens": {
            "file": goldens.name,
            "toleranceObservation": TOLERANCE_OBSERVATION,
            "toleranceAction": TOLERANCE_ACTION,
        },
        "provenance": {
            "trainer": f"cerebellum-trainer {VERSION}, torch {torch.__version__}",
            "weights": policy.weights,
            **({} if weights.state_dict else {"seed": weights.seed}),
            **({"stateDictSha256": file_sha256(weights.state_dict)} if weights.state_dict else {}),
            "trainingParityMaxAbs": parity,
            "notes": notes,
        },
        "files": {file.name: file_sha256(file) for file in listed},
    }
    (folder / "policy.json").write_text(
        json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return manifest


def export_network(
    folder: Path, policy: HistoryPolicy, network: HistoryNetwork, inference: str
) -> tuple[dict, list[Path]]:
    """Manifest section `model`, and its files, the network first."""
    mask = (torch.ones(1, policy.steps),) if policy.fill == "mask" else ()
    mask_name = ["mask"] if mask else []
    if inference == "full-window":
        file = folder / "policy.onnx"
        example = (torch.zeros(1, policy.steps, policy.token), *mask)
        write_onnx(network, example, ["tokens", *mask_name], ["action"], file)
        write_slots(file, policy)
        return {"inference": inference, "file": file.name}, [file]
    file, embed_file = folder / "policy.onnx", folder / "embed.onnx"
    embedded = torch.zeros(1, policy.steps, network.embedded)
    write_onnx(Decision(network), (embedded, *mask), ["embedded", *mask_name], ["action"], file)
    write_onnx(Embedding(network), (torch.zeros(1, policy.token),), ["token"], ["embedded"], embed_file)
    for written in (file, embed_file):
        write_slots(written, policy)
    model = {
        "inference": inference,
        "file": file.name,
        "embedFile": embed_file.name,
        "embeddedWidth": network.embedded,
    }
    return model, [file, embed_file]


def write_slots(file: Path, policy: HistoryPolicy) -> None:
    """The names of all slots become notes of the model's file."""
    proto = onnx.load(file)
    names = {
        NOTES["observation"]: [slot.id for slot in policy.observation],
        NOTES["action"]: [slot.id for slot in policy.action],
    }
    onnx.helper.set_model_props(proto, {key: json.dumps(value) for key, value in names.items()})
    file.write_bytes(proto.SerializeToString(deterministic=True))


@torch.no_grad()
def compare(policy: HistoryPolicy, network: HistoryNetwork, files: list[Path], seed: int) -> float:
    """Largest absolute difference in actions between ONNX Runtime and PyTorch, on random windows."""
    random = torch.Generator().manual_seed(seed)
    sessions = [open_session(file) for file in files]
    worst = 0.0
    for _ in range(PARITY_WINDOWS):
        tokens = torch.randn(1, policy.steps, policy.token, generator=random)
        mask = {"mask": np.ones((1, policy.steps), np.float32)} if policy.fill == "mask" else {}
        if len(sessions) == 1:
            found = sessions[0].run(["action"], {"tokens": tokens.numpy(), **mask})[0]
        else:
            rows = [sessions[1].run(["embedded"], {"token": row.numpy()})[0] for row in tokens[0].split(1)]
            found = sessions[0].run(["action"], {"embedded": np.stack(rows, 1), **mask})[0]
        expected = network(tokens, *[torch.from_numpy(value) for value in mask.values()])
        worst = max(worst, float(np.abs(found - expected.numpy()).max()))
    return worst


def default_action(policy: HistoryPolicy) -> np.ndarray:
    return np.array(policy.default_action or [0.0] * len(policy.action), dtype=np.float32)


@torch.no_grad()
def golden_cases(policy: HistoryPolicy, network: HistoryNetwork) -> list[dict]:
    """Runs longer than the window, each with what a step has to come out as."""
    cases = []
    for seed in range(GOLDEN_CASES):
        run = example_run(policy, policy.steps + 4, seed)
        tokens: list[np.ndarray] = []
        previous, steps = default_action(policy), []
        for step, reading in enumerate(run):
            observation = observe(policy, run, step)
            tokens.append(np.concatenate([observation, previous]))
            output = act(policy, network, tokens)
            previous = clip_output(policy, output) if policy.previous_action == "clipped" else output
            steps.append(
                {
                    "reading": reading.as_json(),
                    "observation": observation.tolist(),
                    "output": output.tolist(),
                    **targets(policy, output),
                }
            )
        cases.append({"steps": steps})
    return cases


@torch.no_grad()
def act(policy: HistoryPolicy, network: HistoryNetwork, tokens: list[np.ndarray]) -> np.ndarray:
    """What the network answers to the newest tokens of a run, filled up by the policy's rule."""
    missing = max(0, policy.steps - len(tokens))
    before = tokens[0] if policy.fill == "first-observation" else np.zeros(policy.token, np.float32)
    rows = np.stack([before] * missing + tokens[-policy.steps :])[None]
    mask = np.array([[0.0] * missing + [1.0] * (policy.steps - missing)], np.float32)
    inputs = [torch.from_numpy(rows.astype(np.float32))]
    if policy.fill == "mask":
        inputs.append(torch.from_numpy(mask))
    return network(*inputs)[0].numpy()


def architecture(config: NetworkConfig) -> dict:
    found = dataclasses.asdict(config)
    if "mlp_ratio" in found:
        found["mlpRatio"] = found.pop("mlp_ratio")
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def describe(
    policy: HistoryPolicy, kind: str, network: nn.Module, weights: Weights, notes: str, parity: float
) -> str:
    origin = (
        f"state dict `{file_sha256(weights.state_dict)}`" if weights.state_dict else f"seed {weights.seed}"
    )
    return "\n".join(
        [
            f"# {policy.name}",
            "",
            policy.description,
            "",
            f"- Motion: {policy.motion}. {policy.motion_reason}",
            f"- Network: {kind}, {parameter_count(network)} weights, {policy.weights} ({origin}).",
            f"- History: {policy.steps} tokens of {len(policy.observation)} observations and "
            f"{len(policy.action)} actions, filled by `{policy.fill}`.",
            f"- ONNX Runtime and PyTorch differ by at most {parity:.1e} in an action.",
            f"- {notes}",
            f"- Made by cerebellum-trainer {VERSION}, torch {torch.__version__}.",
            "",
            f"To make it again: `./cerebellum train history {policy.name} --out DIR`.",
            "",
        ]
    )
