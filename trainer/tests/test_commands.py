"""What a command says when it ends otherwise than planned: one line with a code, never a traceback."""

from dataclasses import dataclass

import pytest
import torch

from cerebellum_trainer import commands
from cerebellum_trainer.errors import TrainerError


@dataclass(frozen=True)
class Reads:
    """Stands for a command."""

    episodes: int = 1
    """So many."""


def ended(monkeypatch: pytest.MonkeyPatch, trouble: BaseException) -> int:
    def run(_: Reads) -> None:
        raise trouble

    monkeypatch.setattr(commands, "RUNNERS", {**commands.RUNNERS, Reads: run})
    monkeypatch.setattr("sys.argv", ["train", "reads"])
    return commands.main()


@pytest.mark.parametrize(
    ("trouble", "code", "words"),
    [
        (TrainerError("EPISODE_SHORT", "It has 2 frames", "Record more"), 1, "EPISODE_SHORT: It has 2"),
        (torch.OutOfMemoryError("CUDA out of memory"), 1, "OUT_OF_MEMORY: There is no memory for it: CUDA"),
        (MemoryError(), 1, "OUT_OF_MEMORY: There is no memory for it: MemoryError. Name fewer episodes"),
        (KeyboardInterrupt(), 130, "INTERRUPTED: "),
    ],
)
def test_expected_trouble_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trouble: BaseException,
    code: int,
    words: str,
) -> None:
    assert ended(monkeypatch, trouble) == code
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(words)


def test_a_mistake_in_the_code_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="shapes disagree"):
        ended(monkeypatch, RuntimeError("shapes disagree"))
