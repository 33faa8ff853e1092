"""History policies: networks against independent calculations, and bundles as the daemon reads them."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.history.bundle import (
    Weights,
    act,
    build_network,
    default_action,
    write_history_bundle,
)
from cerebellum_trainer.history.description import HistoryPolicy
from cerebellum_trainer.history.manifest import policy_of_manifest
from cerebellum_trainer.history.networks import (
    CnnConfig,
    HistoryNetwork,
    Lstm,
    LstmConfig,
    MlpConfig,
    NetworkConfig,
    TransformerConfig,
    Window,
    make_network,
    parameter_count,
)
from cerebellum_trainer.history.reference import clip_output, example_run, observe
from cerebellum_trainer.history.shipped import digit_random, digit_stand

SMALL = TransformerConfig(embed=(24,), width=16, blocks=2, heads=2, head=(12,))
SIZES: list[NetworkConfig] = [
    SMALL,
    dataclasses.replace(SMALL, norm="post", positions="learned"),
    MlpConfig(hidden=(16,)),
    CnnConfig(embed=8, channels=(8, 6), kernels=(3, 2), strides=(2, 1), head=(10,)),
    LstmConfig(width=12, layers=2, head=(8,)),
]
WINDOW = Window(steps=8, token=10, action=3)


def network(config: NetworkConfig, window: Window = WINDOW) -> HistoryNetwork:
    torch.manual_seed(1)
    return make_network(config, window).eval()


def test_the_shipped_transformer_has_the_sizes_of_the_paper() -> None:
    policy, config, weights, _ = digit_random()
    assert (len(policy.observation), len(policy.action), policy.steps) == (66, 36, 16)
    assert policy.motion == "refused"
    assert parameter_count(build_network(policy, config, weights)) == 1_426_660


@torch.no_grad()
def test_the_transformer_is_that_of_pytorch() -> None:
    """Block by block against nn.TransformerEncoder with the same weights, all rows, then the head."""
    ours = network(SMALL)
    layer = nn.TransformerEncoderLayer(
        SMALL.width,
        SMALL.heads,
        round(SMALL.mlp_ratio * SMALL.width),
        0.0,
        "gelu",
        batch_first=True,
        norm_first=True,
    )
    theirs = nn.TransformerEncoder(layer, SMALL.blocks, enable_nested_tensor=False).eval()
    for block, copy in zip(ours.blocks, theirs.layers, strict=True):
        parts = (block.query, block.key, block.value)
        copy.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        copy.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        copy.self_attn.out_proj.load_state_dict(block.project.state_dict())
        copy.norm1.load_state_dict(block.norm1.state_dict())
        copy.norm2.load_state_dict(block.norm2.state_dict())
        copy.linear1.load_state_dict(block.mlp[0].state_dict())
        copy.linear2.load_state_dict(block.mlp[2].state_dict())
    tokens = torch.randn(3, WINDOW.steps, WINDOW.token)
    causal = nn.Transformer.generate_square_subsequent_mask(WINDOW.steps)
    rows = theirs(ours.embed(tokens) + ours.positions, mask=causal)
    assert torch.allclose(ours(tokens), ours.head(ours.norm(rows[:, -1])), atol=1e-5)


@torch.no_grad()
def test_a_masked_transformer_sees_the_steps_that_were_and_no_others() -> None:
    window = dataclasses.replace(WINDOW, masked=True)
    masked = network(SMALL, window)
    tokens, mask = torch.randn(1, 8, 10), torch.tensor([[0.0] * 5 + [1.0] * 3])
    other = tokens.clone()
    other[:, :5] += 3
    assert torch.equal(masked(tokens, mask), masked(other, mask))
    other[:, 5] += 1
    assert not torch.equal(masked(tokens, mask), masked(other, mask))


@torch.no_grad()
def test_the_lstm_is_that_of_pytorch() -> None:
    config = LstmConfig(width=12, layers=2, head=(8,))
    ours = network(config)
    assert isinstance(ours, Lstm)
    theirs = nn.LSTM(WINDOW.token, config.width, config.layers, batch_first=True)
    theirs.load_state_dict(
        {
            f"{name}_l{layer}": value
            for layer, cell in enumerate(ours.cells)
            for name, value in cell.state_dict().items()
        }
    )
    tokens = torch.randn(2, WINDOW.steps, WINDOW.token)
    assert torch.allclose(ours(tokens), ours.head(theirs(tokens)[0][:, -1]), atol=1e-6)


def small_policy(**change: object) -> HistoryPolicy:
    return dataclasses.replace(digit_stand()[0], name="small", steps=8, **change)


@pytest.mark.parametrize("config", SIZES, ids=lambda config: type(config).__name__)
def test_every_network_becomes_a_bundle_that_names_its_slots(tmp_path: Path, config: NetworkConfig) -> None:
    policy = small_policy()
    manifest = write_history_bundle(tmp_path, policy, config, Weights(seed=3), "full-window", "A test.")
    assert manifest["provenance"]["trainingParityMaxAbs"] <= 1e-5
    notes = {prop.key: prop.value for prop in onnx.load(tmp_path / "policy.onnx").metadata_props}
    assert json.loads(notes["cerebellum.observation"])[6] == "joint-position:left_hip_roll"
    assert json.loads(notes["cerebellum.action"])[19] == "position:right_elbow"
    again, sizes, inference = policy_of_manifest(tmp_path / "policy.json", policy.weights)
    assert (sizes, inference) == (config, "full-window")
    assert dataclasses.replace(again, default_action=()) == policy


def test_a_bundle_that_fails_leaves_the_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy, folder = small_policy(), tmp_path / "bundle"
    write_history_bundle(folder, policy, SMALL, Weights(), "cached-embedding", "A test.")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr("cerebellum_trainer.history.bundle.compare", lambda *_: float("nan"))
        with pytest.raises(TrainerError, match="differs from PyTorch by nan"):
            write_history_bundle(folder, policy, SMALL, Weights(seed=1), "cached-embedding", "A test.")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    write_history_bundle(folder, policy, SMALL, Weights(seed=1), "full-window", "A test.")
    assert not (folder / "embed.onnx").exists()


def test_tokens_embedded_one_by_one_give_the_same_actions(tmp_path: Path) -> None:
    policy = small_policy(fill="zeros")
    write_history_bundle(tmp_path, policy, SMALL, Weights(), "cached-embedding", "A test.")
    goldens = json.loads((tmp_path / "goldens.json").read_text(encoding="utf-8"))
    embed = onnxruntime.InferenceSession(tmp_path / "embed.onnx")
    decide = onnxruntime.InferenceSession(tmp_path / "policy.onnx")
    rows = [np.zeros((1, policy.token), np.float32)] * policy.steps
    previous = default_action(policy)
    for step in goldens["cases"][0]["steps"]:
        token = np.concatenate([np.array(step["observation"], np.float32), previous])[None]
        rows = [*rows[1:], token]
        window = np.stack([embed.run(None, {"token": row})[0] for row in rows], axis=1)
        output = decide.run(None, {"embedded": window})[0][0]
        assert np.abs(output - step["output"]).max() < 1e-5
        previous = clip_output(policy, output)


def test_a_state_dict_of_other_sizes_is_refused_by_name(tmp_path: Path) -> None:
    policy = small_policy()
    file = tmp_path / "weights.pt"
    torch.save(build_network(policy, SMALL, Weights()).state_dict(), file)
    given = build_network(policy, SMALL, Weights(seed=7, state_dict=file))
    seeded = build_network(policy, SMALL, Weights())
    assert all(torch.equal(a, b) for a, b in zip(given.parameters(), seeded.parameters(), strict=True))
    with pytest.raises(TrainerError, match=r"\(24, 69\) for token\.0\.weight, expected \(32, 69\)") as caught:
        build_network(policy, dataclasses.replace(SMALL, embed=(32,)), Weights(state_dict=file))
    assert caught.value.code == "WEIGHTS_MISMATCH"


def test_the_standing_policy_keeps_its_pose_upright_and_goes_against_a_lean() -> None:
    policy, config, weights, _ = digit_stand()
    standing = build_network(policy, config, weights)
    places = {slot.id: place for place, slot in enumerate(policy.observation)}

    def asked(**seen: float) -> dict[str, float]:
        token = np.random.default_rng(0).normal(size=policy.token).astype(np.float32)
        for slot, place in places.items():
            if slot.startswith(("base-angular", "projected")):
                token[place] = seen.get(slot.split("@")[0].replace("-", "_").replace(":", "_"), 0.0)
        changes = zip(policy.action, act(policy, standing, [token]), strict=True)
        return {slot.joint: float(value) for slot, value in changes if value}

    assert asked() == {}
    to_the_left = asked(projected_gravity_y=0.1, base_angular_velocity_x=0.25 * -0.2)
    assert to_the_left == pytest.approx({"left_knee": 0.09, "right_knee": 0.09})
    sole = 0.957 * 0.4 * -0.1
    backward = asked(projected_gravity_x=-0.1, base_angular_velocity_y=0.25 * 0.4)
    toes = ("left_toe_A", "left_toe_B", "right_toe_A", "right_toe_B")
    assert backward == pytest.approx(dict(zip(toes, (sole, -sole, -sole, sole), strict=True)))


def test_a_delayed_slot_holds_what_was_measured_steps_ago() -> None:
    slots = tuple(dataclasses.replace(slot, delay_steps=2) for slot in digit_stand()[0].observation)
    policy, fresh = small_policy(observation=slots), small_policy()

    run = example_run(policy, 6, seed=0)
    assert np.array_equal(observe(policy, run, 5), observe(fresh, run, 3))
    assert np.array_equal(observe(policy, run, 1), observe(fresh, run, 0))
