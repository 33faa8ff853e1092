"""Views of a batch: a query, a key that shares nothing with it, and for each space one key that shares just
the numbers of that space's augmentation (leave one out: all others differ)."""

from __future__ import annotations

from typing import Literal

from cerebellum_trainer.pictures.augment import Chance, Numbers, draw_numbers

Atomic = Literal["colour", "rotation", "texture"]
# Drawn anew for every view; no space stays sensitive to them (Xiao et al. 2021).
ALWAYS = ("frame", "blur")


def leave_one_out(
    count: int,
    atomic: tuple[Atomic, ...],
    spaces: tuple[Atomic, ...],
    generator: Chance = None,
    shared: tuple[Atomic, ...] = (),
) -> list[Numbers]:
    """Numbers of the query, of key 0, then of one key for each of `spaces`.

    Args:
        atomic: the augmentations that are drawn besides those that always are; `spaces` are some of them.
        shared: those whose numbers all views of a picture share (a control: varied, yet no invariance).
    Raises: ValueError if a space or a shared augmentation is not among `atomic`.
    """
    if not {*spaces, *shared} <= {*atomic}:
        raise ValueError(f"spaces {spaces} and shared {shared} must be among the augmentations {atomic}")
    query, *keys = (draw_numbers(count, (*ALWAYS, *atomic), generator) for _ in range(2 + len(spaces)))
    for key in keys:
        key.update({name: query[name] for name in shared})
    for key, space in zip(keys[1:], spaces, strict=True):
        key[space] = query[space]
    return [query, *keys]
