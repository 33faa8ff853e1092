"""The trained part of a policy: pools frozen tokens, joins them with joint positions, answers joint deltas.

Layout of MVP's real-robot head (image -> 128, proprioception -> 128, then [256, 128, 64] with SELU;
Radosavovic et al. 2022), with one change that matters for a small encoder: instead of the class token, a
few trained queries attend over the patch tokens and also report where they looked. Standardisation and
action scale are buffers, so the exported graph takes raw tokens and radians and returns radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from cerebellum_trainer.devices import Body

# Keeps a gripper that hardly moves from being amplified [m].
OPENING_STD_FLOOR_M = 0.002

Feature = Literal["class-token", "patch-tokens"]


@dataclass(frozen=True)
class ControllerConfig:
    feature: Feature = "patch-tokens"
    """What the head sees of the encoder: its class token, or all patches through trained queries."""
    pooling: Literal["attention", "grid"] = "attention"
    """Of patch tokens: trained queries look for places, or every patch says a little at its own place."""
    queries: int = 4
    """Of patch tokens: places that the head looks at."""
    patch_numbers: int = 32
    """Of pooling over the grid: how many numbers each patch says."""
    embedding: int = 128
    """Numbers that image and joints are each brought to."""
    hidden: tuple[int, ...] = (256, 128, 64)
    """Widths of the controller's layers; 512 256 128 is the method's larger one."""
    uses_image: bool = True
    """Without it: what joints alone can do. It stays an input, which changes nothing."""
    uses_proprioception: bool = True
    """Without it: what the image alone can do. They stay an input, which changes nothing."""
    # The final norm's statistics hold no weights: training its gain and shift is training the same two
    # numbers a dimension behind it. So the frozen encoder, which policies share, stays as it is.
    trains_norm: bool = False
    """Also train gain and shift of the encoder's final norm, as MVP's released code does."""
    standardises: bool = True
    """Bring features and joints to mean 0 and deviation 1 over the training set; MVP takes them as is."""
    initialisation: Literal["uniform", "orthogonal"] = "uniform"
    """orthogonal: MVP's, gain sqrt(2), and 0.01 in the last layer: it begins with hardly any motion."""
    # Keeps a joint that hardly moves in the demonstrations from being amplified [rad].
    state_std_floor_rad: float = 0.02
    """Least deviation that a joint is divided by [rad]: one that hardly moves is not amplified."""
    # One scale for all of the action keeps its direction: an arm's joints work together. Fingers do not, and
    # beside an arm their steps are so much longer that its own would not count.
    action_scale: Literal["shared", "per-joint"] | None = None
    """shared for an arm alone, per-joint with fingers, unless one is named."""
    action_std_floor_rad: float = 0.02
    """Least deviation that actions are divided by [rad]."""

    def fit(self, body: Body) -> ControllerConfig:
        """With what was left open chosen for what moves."""
        scale = self.action_scale or ("per-joint" if any(body.is_compliant) else "shared")
        return replace(self, action_scale=scale)


@dataclass(frozen=True)
class Scales:
    """Statistics of the training set: feature (width,), state (joints,), action () or (joints,) [rad].

    With a gripper, state and action have one more column [m], and `action_offset` is what openings vary
    about; joint steps vary about 0.
    """

    feature_mean: torch.Tensor
    feature_std: torch.Tensor
    state_mean: torch.Tensor
    state_std: torch.Tensor
    action: torch.Tensor
    action_offset: torch.Tensor | None = None

    def normalised(self, action: torch.Tensor) -> torch.Tensor:
        """(n, joints) in units of the deviations: what the loss compares."""
        moved = action if self.action_offset is None else action - self.action_offset
        return moved / self.action

    def with_gripper(self, state: torch.Tensor, action: torch.Tensor) -> Scales:
        """Of joints alone -> of joints and, as last column of `state` and `action`, openings [m]."""
        opening, asked = state[:, -1:], action[:, -1:]
        joints = state.shape[1] - 1
        return replace(
            self,
            state_mean=torch.cat([self.state_mean, opening.mean(0)]),
            state_std=torch.cat([self.state_std, opening.std(0) + OPENING_STD_FLOOR_M]),
            action=torch.cat([self.action.expand(joints), asked.std(0).clamp(min=OPENING_STD_FLOOR_M)]),
            action_offset=torch.cat([torch.zeros(joints), asked.mean(0)]),
        )

    @staticmethod
    def of(
        feature: torch.Tensor, state: torch.Tensor, action: torch.Tensor, config: ControllerConfig
    ) -> Scales:
        """Per dimension, over frames and tokens; of the action one deviation, or one for each joint."""
        is_shared = config.action_scale != "per-joint"
        scale = action.std() if is_shared else action.std(0).clamp(min=config.action_std_floor_rad)
        if not config.standardises:
            width, joints = feature.shape[-1], state.shape[-1]
            return Scales(
                torch.zeros(width), torch.ones(width), torch.zeros(joints), torch.ones(joints), scale
            )
        over = tuple(range(feature.ndim - 1))
        return Scales(
            feature_mean=feature.mean(over),
            feature_std=feature.std(over) + 1e-4,
            state_mean=state.mean(0),
            state_std=state.std(0) + config.state_std_floor_rad,
            action=scale,
        )


class AttentionPool(nn.Module):
    """Weighted means of patch tokens and of their places in the image, one of each per trained query."""

    places: torch.Tensor

    def __init__(self, width: int, grid: int, queries: int, out: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(queries, width) * width**-0.5)
        self.register_buffer("places", token_places(grid))
        self.project = nn.Linear(queries * (width + 2), out)

    def attend(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(b, patches, width) -> means (b, queries, width) and places (b, queries, 2), x then y in -1..1."""
        weights = (tokens @ self.query.T).softmax(dim=1).transpose(1, 2)
        return weights @ tokens, weights @ self.places

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(b, patches, width) -> (b, out). Places count double: they are few among many dimensions."""
        means, places = self.attend(tokens)
        return self.project(torch.cat([means, 2 * places], dim=-1).flatten(1))


class GridPool(nn.Module):
    """Each patch token is brought to a few numbers, the same way everywhere; the next layer knows the places.

    Nothing is averaged, so it tells how far a thing is off by less than a patch, for more weights.
    """

    def __init__(self, width: int, grid: int, numbers: int, out: int) -> None:
        super().__init__()
        self.say = nn.Linear(width, numbers)
        self.project = nn.Linear(grid**2 * numbers, out)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(b, patches, width) -> (b, out)."""
        return self.project(F.selu(self.say(tokens)).flatten(1))


class Controller(nn.Module):
    """feature (b, patches, width) or (b, width), state (b, joints) [rad] -> action (b, joints) [rad]."""

    feature_mean: torch.Tensor
    feature_std: torch.Tensor
    state_mean: torch.Tensor
    state_std: torch.Tensor
    action_scale: torch.Tensor
    action_offset: torch.Tensor | None

    def __init__(self, config: ControllerConfig, width: int, grid: int, joints: int, scales: Scales) -> None:
        super().__init__()
        self.config = config
        if config.feature == "patch-tokens" and config.pooling == "grid":
            self.image: nn.Module = GridPool(width, grid, config.patch_numbers, config.embedding)
        elif config.feature == "patch-tokens":
            self.image = AttentionPool(width, grid, config.queries, config.embedding)
        else:
            self.image = nn.Linear(width, config.embedding)
        self.proprioception = nn.Linear(joints, config.embedding)
        layers: list[nn.Module] = []
        size = 2 * config.embedding
        for hidden in config.hidden:
            layers += [nn.Linear(size, hidden), nn.SELU()]
            size = hidden
        self.head = nn.Sequential(*layers, nn.Linear(size, joints))
        if config.initialisation == "orthogonal":
            make_orthogonal(self.head)
        if config.trains_norm:
            self.norm_gain = nn.Parameter(torch.ones(width))
            self.norm_shift = nn.Parameter(torch.zeros(width))
        for name in ("feature_mean", "feature_std", "state_mean", "state_std"):
            self.register_buffer(name, getattr(scales, name).clone())
        self.register_buffer("action_scale", scales.action.clone())
        offset = scales.action_offset
        self.register_buffer("action_offset", None if offset is None else offset.clone())

    def scaled(self, feature: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """The action in units of `action_scale`: what the loss compares."""
        nothing = torch.zeros(len(state), self.config.embedding, device=state.device)
        image = self.embed(feature) if self.config.uses_image else nothing
        proprioception = nothing
        if self.config.uses_proprioception:
            proprioception = self.proprioception((state - self.state_mean) / self.state_std)
        return self.head(torch.cat([image, proprioception], dim=1))

    def embed(self, feature: torch.Tensor) -> torch.Tensor:
        """(b, patches, width) or (b, width) -> (b, embedding)."""
        seen = (feature - self.feature_mean) / self.feature_std
        if self.config.trains_norm:
            seen = seen * self.norm_gain + self.norm_shift
        return self.image(seen)

    def forward(self, feature: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        action = self.scaled(feature, state) * self.action_scale
        return action if self.action_offset is None else action + self.action_offset


def make_orthogonal(head: nn.Sequential) -> None:
    """MVP's: orthogonal weights and no biases; the last layer's are small."""
    linear = [layer for layer in head if isinstance(layer, nn.Linear)]
    for layer in linear:
        nn.init.orthogonal_(layer.weight, 0.01 if layer is linear[-1] else 2**0.5)
        nn.init.zeros_(layer.bias)


def token_places(grid: int) -> torch.Tensor:
    """(grid^2, 2): x (right) and y (down) of each patch's centre among the others, -1..1, row by row."""
    line = torch.linspace(-1, 1, grid)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def select_feature(tokens: torch.Tensor, feature: Feature) -> torch.Tensor:
    """(b, 1 + patches, width) -> what the controller receives."""
    return tokens[:, 0] if feature == "class-token" else tokens[:, 1:]


def grid_of(tokens: torch.Tensor) -> int:
    """Patches along one side, from (b, 1 + patches, width)."""
    grid = math.isqrt(tokens.shape[1] - 1)
    if grid**2 != tokens.shape[1] - 1:
        raise ValueError(f"{tokens.shape[1] - 1} patches are not a square")
    return grid
