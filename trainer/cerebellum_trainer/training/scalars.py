"""Curves for TensorBoard under the tags that users of MVP know: `Train-iter/…` over steps, learning rate as
`Policy-iter/lr`; each also with `-images`, over the number of samples seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class Scalars:
    def __init__(self, folder: Path, first_step: int) -> None:
        """Hides what an interrupted run wrote at `first_step` or later: those steps are done again."""
        # It takes a second to import, which commands without curves need not wait for.
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=first_step if first_step > 0 else None)

    def write(self, step: int, images: int, values: Mapping[str, float]) -> None:
        """`step`: steps done, so the first one is 1; `images`: samples seen by all processes together."""
        for name, value in values.items():
            tag = "Policy-iter/lr" if name == "lr" else f"Train-iter/{name}"
            self._writer.add_scalar(tag, value, step)
            self._writer.add_scalar(f"{tag}-images", value, images)

    def close(self) -> None:
        self._writer.close()
