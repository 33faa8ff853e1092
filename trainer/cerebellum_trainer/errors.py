"""Expected trouble: a stable code, what happened, the remedy. Callers branch on the code, never on text."""

from __future__ import annotations


class TrainerError(Exception):
    """Bad input or a failed check, in words an operator can act on."""

    def __init__(self, code: str, happened: str, remedy: str) -> None:
        super().__init__(f"{happened}. {remedy}.")
        self.code = code
        self.happened = happened
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[TrainerError], tuple[str, str, str]]:
        """Whole from one process to another, of which the text alone would not do."""
        return type(self), (self.code, self.happened, self.remedy)
