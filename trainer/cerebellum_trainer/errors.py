"""Expected trouble: a stable code, what happened, the remedy. Callers branch on the code, never on text."""


class TrainerError(Exception):
    """Bad input or a failed check, in words an operator can act on."""

    def __init__(self, code: str, happened: str, remedy: str) -> None:
        super().__init__(f"{happened}. {remedy}.")
        self.code = code
        self.happened = happened
        self.remedy = remedy
