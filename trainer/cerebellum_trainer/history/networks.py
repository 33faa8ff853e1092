"""Networks from a window of observation-action tokens (b, steps, token) to the next action (b, action).

The causal Transformer follows Radosavovic et al. 2023 (arXiv 2303.03381): tokens embedded by an MLP,
sinusoidal positions, blocks with causal attention, an MLP head on the newest token. What that paper leaves
open (activation, place of the norm, depth of the embedding) is configuration. MLP, CNN and LSTM are its
baselines in the same form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "tanh": nn.Tanh,
}


@dataclass(frozen=True)
class Window:
    """Sizes that every network shares."""

    steps: int
    token: int
    action: int
    masked: bool = False
    """The network is told which steps are real: a second input (b, steps) of ones and zeros."""


@dataclass(frozen=True)
class TransformerConfig:
    embed: tuple[int, ...] = (512,)
    width: int = 192
    blocks: int = 4
    heads: int = 4
    mlp_ratio: float = 2.0
    head: tuple[int, ...] = (256, 128)
    positions: str = "sinusoidal"
    norm: str = "pre"
    activation: str = "gelu"


@dataclass(frozen=True)
class MlpConfig:
    hidden: tuple[int, ...] = (512, 512, 256, 128)
    activation: str = "elu"


@dataclass(frozen=True)
class CnnConfig:
    embed: int = 32
    channels: tuple[int, ...] = (32, 32)
    kernels: tuple[int, ...] = (4, 3)
    strides: tuple[int, ...] = (2, 1)
    head: tuple[int, ...] = (256, 128)
    activation: str = "elu"


@dataclass(frozen=True)
class LstmConfig:
    width: int = 256
    layers: int = 1
    head: tuple[int, ...] = (256, 128)
    activation: str = "elu"


NetworkConfig = TransformerConfig | MlpConfig | CnnConfig | LstmConfig
KINDS: dict[str, type[NetworkConfig]] = {
    "causal-transformer": TransformerConfig,
    "mlp": MlpConfig,
    "cnn": CnnConfig,
    "lstm": LstmConfig,
}


def make_network(config: NetworkConfig, window: Window) -> HistoryNetwork:
    return NETWORKS[type(config)](config, window)


def dense(sizes: list[int], activation: str, *, ends_active: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = []
    for place in range(len(sizes) - 1):
        layers.append(nn.Linear(sizes[place], sizes[place + 1]))
        if ends_active or place + 2 < len(sizes):
            layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)


class HistoryNetwork(nn.Module):
    """Two parts: `embed` sees one token and not its place, `decide` the window of what came out."""

    window: Window
    embedded: int

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """(..., token) -> (..., embedded)."""
        raise NotImplementedError

    def decide(self, embedded: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(b, steps, embedded) -> (b, action)."""
        raise NotImplementedError

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.decide(self.embed(tokens), mask)


class Block(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads, self.is_pre = config.heads, config.norm == "pre"
        width, hidden = config.width, round(config.mlp_ratio * config.width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.project = nn.Linear(width, width)
        self.mlp = dense([width, hidden, width], config.activation)

    def forward(self, x: torch.Tensor, bias: torch.Tensor, newest: int) -> torch.Tensor:
        """(b, steps, width) and an additive bias (1 or b, 1, steps, steps) -> the `newest` last rows.

        Nothing after a block's last rows depends on its earlier ones where no block follows: the last block
        computes the newest token's row alone, and that row is the same.
        """
        inputs = self.norm1(x) if self.is_pre else x
        x = x[:, -newest:] + self.attend(inputs, bias[:, :, -newest:], newest)
        if self.is_pre:
            return x + self.mlp(self.norm2(x))
        x = self.norm1(x)
        return self.norm2(x + self.mlp(x))

    def attend(self, x: torch.Tensor, bias: torch.Tensor, newest: int) -> torch.Tensor:
        batch, _, width = x.shape

        def split(rows: torch.Tensor) -> torch.Tensor:
            return rows.reshape(batch, -1, self.heads, width // self.heads).transpose(1, 2)

        query = split(self.query(x[:, -newest:])) / math.sqrt(width // self.heads)
        key, value = split(self.key(x)), split(self.value(x))
        weights = (query @ key.transpose(2, 3) + bias).softmax(dim=-1)
        return self.project((weights @ value).transpose(1, 2).reshape(batch, newest, width))


class CausalTransformer(HistoryNetwork):
    def __init__(self, config: TransformerConfig, window: Window) -> None:
        super().__init__()
        self.window, self.embedded = window, config.width
        self.token = dense([window.token, *config.embed, config.width], config.activation)
        self.positions: torch.Tensor
        self.future: torch.Tensor
        if config.positions == "learned":
            self.positions = nn.Parameter(torch.randn(window.steps, config.width) * 0.02)
        else:
            self.register_buffer("positions", sinusoids(window.steps, config.width), persistent=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()
        self.head = dense([config.width, *config.head, window.action], config.activation)
        future = torch.full((window.steps, window.steps), -math.inf).triu(1)
        self.register_buffer("future", future[None, None], persistent=False)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.token(tokens)

    def decide(self, embedded: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        x, bias = embedded + self.positions, self.future
        if mask is not None:
            # Finite, and every step sees itself: a row without any key would be no number.
            unseen = (mask[:, None, None, :] - 1) * 1e9
            bias = bias + unseen * (1 - torch.eye(self.window.steps))
        for place, block in enumerate(self.blocks):
            x = block(x, bias, 1 if place + 1 == len(self.blocks) else self.window.steps)
        return self.head(self.norm(x[:, -1]))


class Mlp(HistoryNetwork):
    def __init__(self, config: MlpConfig, window: Window) -> None:
        super().__init__()
        self.window, self.embedded = window, window.token
        self.layers = dense([window.steps * window.token, *config.hidden, window.action], config.activation)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens

    def decide(self, embedded: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.layers(embedded.flatten(1))


class Cnn(HistoryNetwork):
    def __init__(self, config: CnnConfig, window: Window) -> None:
        super().__init__()
        self.window, self.embedded = window, config.embed
        self.token = dense([window.token, config.embed], config.activation, ends_active=True)
        layers: list[nn.Module] = []
        channels, steps = config.embed, window.steps
        for out, kernel, stride in zip(config.channels, config.kernels, config.strides, strict=True):
            layers += [nn.Conv1d(channels, out, kernel, stride), ACTIVATIONS[config.activation]()]
            channels, steps = out, (steps - kernel) // stride + 1
        self.convolutions = nn.Sequential(*layers)
        self.head = dense([channels * steps, *config.head, window.action], config.activation)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.token(tokens)

    def decide(self, embedded: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return self.head(self.convolutions(embedded.transpose(1, 2)).flatten(1))


class Lstm(HistoryNetwork):
    """Starts from nothing at the window's oldest token, so that a step depends on the window alone."""

    def __init__(self, config: LstmConfig, window: Window) -> None:
        super().__init__()
        self.window, self.embedded = window, window.token
        self.cells = nn.ModuleList(
            nn.LSTMCell(config.width if layer else window.token, config.width)
            for layer in range(config.layers)
        )
        self.head = dense([config.width, *config.head, window.action], config.activation)

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens

    def decide(self, embedded: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        rows = embedded
        for cell in self.cells:
            assert isinstance(cell, nn.LSTMCell)
            # Written out: the exporter then needs no recurrent operator, whose gate order differs.
            hidden = memory = embedded.new_zeros(len(embedded), cell.hidden_size)
            inputs = rows @ cell.weight_ih.T + cell.bias_ih + cell.bias_hh
            outputs = []
            for step in range(self.window.steps):
                gates = inputs[:, step] + hidden @ cell.weight_hh.T
                enter, forget, new, show = gates.chunk(4, dim=1)
                memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
                hidden = show.sigmoid() * memory.tanh()
                outputs.append(hidden)
            rows = torch.stack(outputs, dim=1)
        return self.head(rows[:, -1])


NETWORKS: dict[type[NetworkConfig], type[HistoryNetwork]] = {
    TransformerConfig: CausalTransformer,
    MlpConfig: Mlp,
    CnnConfig: Cnn,
    LstmConfig: Lstm,
}


def sinusoids(steps: int, width: int) -> torch.Tensor:
    """(steps, width), sines before cosines; Vaswani et al. 2017, section 3.5."""
    rates = torch.exp(torch.arange(width // 2) * (-math.log(10_000.0) / (width // 2)))
    angles = torch.arange(steps)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())
