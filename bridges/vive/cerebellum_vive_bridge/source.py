"""What the bridge reads poses from."""

from __future__ import annotations

from typing import Protocol

from cerebellum_vive_bridge.pose import Sample


class SourceLostError(Exception):
    """The source has gone, or is not there yet; the text says what to do. Trying again later may help."""


class Source(Protocol):
    """One life of a source: after SourceLostError it is closed, and another one is opened."""

    def read(self) -> Sample:
        """What is true now. Raises SourceLostError."""
        ...

    def pulse(self, hand: str, strength: float) -> None:
        """Lets a hand feel something until the next call [strength 0..1]. Never raises."""
        ...

    def close(self) -> None: ...
