"""What goes wrong inside a step, as errors that a person can act on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from cerebellum_trainer.errors import TrainerError

# Samples of a batch that a message names; the file beside it names all.
NAMED = 3


def is_out_of_memory(error: BaseException) -> bool:
    """The CPU's allocator has no exception type of its own, only a text."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


@contextmanager
def memory_told(step: int, images: int, device: torch.device) -> Iterator[None]:
    """Raises: TrainerError OUT_OF_MEMORY where the step of `images` a process needs more than there is."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainerError(
            "OUT_OF_MEMORY",
            f"{device} has no memory for {images} images at once (step {step}): {first_line(error)}",
            "Raise accumulate, which parts a batch and gives the same gradients, or lower the batch; then "
            "continue with --resume",
        ) from error


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def not_finite(step: int, what: str, names: Sequence[str], good: Path | None) -> TrainerError:
    """`names`: the samples of the batch; `good`: the newest checkpoint, all of whose weights are finite."""
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    kept = f"{good} is the last good checkpoint" if good else "There is no checkpoint before it"
    return TrainerError(
        "LOSS_NOT_FINITE",
        f"{what} at step {step}" + (f", in the batch of {shown}" if names else ""),
        f"{kept}; lower the learning rate, or take a broken picture out, and begin another run",
    )


def all_finite(module: nn.Module) -> bool:
    values = [*module.parameters(), *module.buffers()]
    return all(bool(torch.isfinite(v).all()) for v in values if v.is_floating_point())
