"""Behaviour cloning on cached features: mean squared error on joint deltas.

Recipe of MVP's released real-robot configuration (AdamW, 1e-3, weight decay 0.01, batch 128, 10 % warm-up,
cosine, frames that move less than 4 mrad dropped) with half its epochs, noise on the features and on where
the fingers are, each frame in several lights (relight.py), and one exception to the filter: the still frames
at the end of a demonstration stay, capped, because they alone teach the arm to stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from cerebellum_trainer.controller import Controller, ControllerConfig, Scales, grid_of, select_feature
from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.mae import cosine_rate, parameter_groups
from cerebellum_trainer.samples import Stillness

# Batches of feature noise drawn for an epoch.
NOISE_BANK = 3


@dataclass(frozen=True)
class CloneConfig:
    # Each epoch sees every frame in each of its lights, so this is about 200 passes over the recording.
    epochs: int = 70
    """Passes over all frames in each of their lights."""
    batch: int = 128
    """Frames of a step."""
    learning_rate: float = 1e-3
    """Peak of AdamW's, after the warm-up."""
    weight_decay: float = 0.01
    """AdamW's, of matrices only: none on biases, norms and tokens."""
    warm_up_share: float = 0.1
    """Share of the steps in which the learning rate rises; then a cosine to 0."""
    # In deviations of each feature dimension.
    feature_noise: float = 0.1
    """Of a normal added to each feature, in its own deviations."""
    # Frames of the reach that lead no joint further teach standing still in the wrong place [rad].
    still_rad: float = 0.004
    """Frames on the way that lead no joint of an arm so far are left out [rad]; larger for people."""
    finger_still_rad: float = 0.03
    """The same of fingers [rad]: a hand that keeps still trembles in all of its sixteen joints."""
    # A finger stands where friction left it: some hundredths of a radian from where it was led, otherwise
    # each time. Without this a controller takes those hundredths of the idle fingers for a clock [rad].
    finger_noise_rad: float = 0.03
    """Of a normal on where fingers seem to be [rad]; where they are led stays."""
    joint_noise_rad: float = 0.0
    """Of a normal on where an arm's joints seem to be [rad]; an augmentation, the action stays."""
    # Largest share of hold frames among those trained on.
    hold_share_max: float = 0.3
    """Largest share of frames that hold still at the end. 0: none, as in MVP's released recipe, which drops
    every still frame."""

    def __post_init__(self) -> None:
        if not 0 <= self.hold_share_max < 1:
            raise TrainerError(
                "RECIPE_INVALID", f"hold_share_max is {self.hold_share_max}, not in [0, 1)", "Correct it"
            )
        if self.epochs < 1 or self.batch < 1:
            raise TrainerError(
                "RECIPE_INVALID",
                f"{self.epochs} epochs of batches of {self.batch} train nothing",
                "Name more",
            )

    @property
    def stillness(self) -> Stillness:
        return Stillness(self.still_rad, self.finger_still_rad)


def select_frames(
    still: torch.Tensor, hold: torch.Tensor, config: CloneConfig, generator: torch.Generator
) -> torch.Tensor:
    """Indices to train on: moving frames of the reach, and a random choice of hold frames within their share.

    Args:
        still, hold: (n,) bool, as in a data set.
    """
    moving = torch.nonzero(~hold & ~still).flatten()
    still = torch.nonzero(hold).flatten()
    share = config.hold_share_max
    allowed = int(len(moving) * share / (1 - share))
    chosen = still[torch.randperm(len(still), generator=generator)[:allowed]]
    return torch.cat([moving, chosen]).sort().values


def clone(
    tokens: torch.Tensor,
    state: torch.Tensor,
    action: torch.Tensor,
    hold: torch.Tensor,
    still: torch.Tensor,
    controller_config: ControllerConfig,
    config: CloneConfig,
    seed: int,
    is_compliant: Sequence[bool] = (),
    moves_gripper: bool = False,
) -> tuple[Controller, list[float]]:
    """Trains one controller.

    Args:
        tokens: (lights, n, 1 + patches, width) of the frozen encoder.
        state, action: (n, joints) [rad]; hold, still: (n,) bool.
        is_compliant: which joints `finger_noise_rad` is for; none when empty.
        moves_gripper: state and action have one more column, the gripper's [m].
    Returns: the controller in evaluation mode, and every epoch's mean loss, in squared deviations of the
        action.
    Raises: TrainerError DATASET_SMALL if there is not one batch of frames, LOSS_NOT_FINITE, naming the batch.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    frames = select_frames(still, hold, config, generator)
    if len(frames) < config.batch:
        raise TrainerError(
            "DATASET_SMALL",
            f"Only {len(frames)} usable frames (one batch needs {config.batch})",
            "Record more demonstrations",
        )
    lights = len(tokens)
    feature = torch.cat([select_feature(seen[frames], controller_config.feature) for seen in tokens])
    state, action = state[frames].repeat(lights, 1), action[frames].repeat(lights, 1)
    scales = scales_of(feature, state, action, controller_config, moves_gripper)
    model = Controller(controller_config, tokens.shape[-1], grid_of(tokens[0]), state.shape[1], scales)
    optimiser = torch.optim.AdamW(parameter_groups(model, config.weight_decay), lr=config.learning_rate)
    batches = len(feature) // config.batch
    steps, step = config.epochs * batches, 0
    losses: list[float] = []
    spread = config.feature_noise * scales.feature_std
    joint_spread, noise = spreads_of(config, state.shape[1], is_compliant, moves_gripper)
    for _ in range(config.epochs):
        order = torch.randperm(len(feature), generator=generator)
        # Normals cost more than the network: one bank an epoch, entered at a random place by each batch.
        bank = spread * torch.randn(NOISE_BANK * config.batch, *feature.shape[1:], generator=generator)
        total = 0.0
        for at in range(0, batches * config.batch, config.batch):
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * cosine_rate(step, steps, config.warm_up_share)
            chosen = order[at : at + config.batch]
            start = int(torch.randint(len(bank) - config.batch + 1, (1,), generator=generator))
            noisy = feature[chosen] + bank[start : start + config.batch]
            there, led = state[chosen], action[chosen]
            if len(is_compliant) > 0:
                # Where it is led stays the same, and is farther from, or nearer to, where it seems to be.
                moved = joint_spread * torch.randn(there.shape, generator=generator)
                there, led = there + moved, led - moved
            there = there + noise * torch.randn(there.shape, generator=generator) if noise.any() else there
            loss = F.mse_loss(model.scaled(noisy, there), scales.normalised(led))
            check_finite(loss, len(losses), at // config.batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()
            step += 1
        losses.append(total / batches)
    return model.eval(), losses


def scales_of(
    feature: torch.Tensor,
    state: torch.Tensor,
    action: torch.Tensor,
    config: ControllerConfig,
    moves_gripper: bool,
) -> Scales:
    """As `Scales.of`, of state and action whose last column may be the gripper's [m]."""
    if not moves_gripper:
        return Scales.of(feature, state, action, config)
    return Scales.of(feature, state[:, :-1], action[:, :-1], config).with_gripper(state, action)


def spreads_of(
    config: CloneConfig, columns: int, is_compliant: Sequence[bool], moves_gripper: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """(columns,) how far fingers seem to be off, and joints that the action does not follow [rad].

    A gripper's opening is no angle.
    """
    joints = columns - 1 if moves_gripper else columns
    compliant = torch.tensor([*(is_compliant or [False] * joints), *[False] * (columns - joints)])
    is_joint = torch.arange(columns) < joints
    return config.finger_noise_rad * compliant.float(), config.joint_noise_rad * is_joint.float()


def check_finite(loss: torch.Tensor, epoch: int, batch: int) -> None:
    """Raises: TrainerError LOSS_NOT_FINITE; nothing has been written then."""
    if not torch.isfinite(loss):
        raise TrainerError(
            "LOSS_NOT_FINITE",
            f"The loss is {loss.item()} in batch {batch + 1} of epoch {epoch + 1}",
            "Lower the learning rate; in the first batch, look for values in the data that are not finite",
        )


@torch.no_grad()
def held_out_error(
    model: Controller, tokens: torch.Tensor, state: torch.Tensor, action: torch.Tensor, hold: torch.Tensor
) -> dict[str, float]:
    """Root mean square action error [rad] over joints and frames, by phase; and that of answering 0.

    Where the gripper is learnt, also the error of its opening over all frames [m].
    """
    predicted = model(select_feature(tokens, model.config.feature), state)
    report = {}
    if model.action_offset is not None:
        report["gripperRmsM"] = (predicted - action)[:, -1].square().mean().sqrt().item()
        predicted, action = predicted[:, :-1], action[:, :-1]
    error = (predicted - action).square().mean(dim=1)
    nothing = action.square().mean(dim=1)
    for phase, chosen in (("reach", ~hold), ("hold", hold)):
        if bool(chosen.any()):
            report[f"{phase}RmsRad"] = error[chosen].mean().sqrt().item()
            report[f"{phase}ZeroRmsRad"] = nothing[chosen].mean().sqrt().item()
    return report
