"""On what a run computes: one process, or several that torchrun started, on the CPU or on GPUs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from cerebellum_trainer.errors import TrainerError


@dataclass(frozen=True)
class Hardware:
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: the GPU of this process where there is one."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """bf16: forward passes under autocast, weights and optimiser in fp32. auto: bf16 on a GPU that has it."""
    threads: int = 1
    """Of the CPU, for the arithmetic of each process."""
    workers: int = 1
    """Processes that decode pictures, for each process that trains; 0 decodes in between."""


@dataclass(frozen=True)
class World:
    """This process among those of the run."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: Literal["fp32", "bf16"] = "fp32"

    @property
    def is_main(self) -> bool:
        """The one that writes files and speaks to people."""
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module whose gradients are means over all processes."""
        if self.size == 1:
            return module
        own = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=own)

    def autocast(self) -> AbstractContextManager[Any]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Over all processes; every one must ask at the same point."""
        if self.size == 1:
            return values
        dist.all_reduce(values)
        return values / self.size

    def gather(self, value: Any) -> list[Any]:
        """What each process has, by rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def wait(self) -> None:
        """Until every process has come here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def open_world(hardware: Hardware) -> Iterator[World]:
    """Joins the processes of torchrun, if it started this one, and leaves them at the end.

    Raises: TrainerError DEVICE_MISSING.
    """
    torch.set_num_threads(hardware.threads)
    size = int(os.environ.get("WORLD_SIZE", "1"))
    device = choose_device(hardware, int(os.environ.get("LOCAL_RANK", "0")))
    precision = choose_precision(hardware, device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")
    if size == 1:
        yield World(0, 1, device, precision)
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(dist.get_rank(), size, device, precision)
    finally:
        dist.destroy_process_group()


def choose_device(hardware: Hardware, local_rank: int) -> torch.device:
    """Raises: TrainerError DEVICE_MISSING."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if hardware.device == "cpu" or (hardware.device == "auto" and count == 0):
        return torch.device("cpu")
    if local_rank >= count:
        raise TrainerError(
            "DEVICE_MISSING",
            f"Process {local_rank} of this computer has no GPU ({count} found)",
            "Start as many processes as there are GPUs, or name --device cpu",
        )
    return torch.device("cuda", local_rank)


def choose_precision(hardware: Hardware, device: torch.device) -> Literal["fp32", "bf16"]:
    if hardware.precision != "auto":
        return hardware.precision
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
