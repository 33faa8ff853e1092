"""A bundle is replaced as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.staging import replaced


@pytest.fixture
def older(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "goldens").mkdir(parents=True)
    for name in (
        "policy.json",
        "encoder.onnx",
        "controller.onnx",
        "goldens.json",
        "goldens/0.png",
        "mine.txt",
    ):
        (folder / name).write_text(f"old {name}")
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def fill_and_stop(folder: Path, error: BaseException) -> None:
    with replaced(folder) as making:
        fill(making)
        raise error


def fill(making: Path) -> None:
    (making / "golden-1").mkdir()
    for name in ("policy.json", "encoder.onnx", "golden-1/0.png"):
        (making / name).write_text(f"new {name}")


def test_nothing_of_the_older_one_is_left_but_what_is_somebodys_own(older: Path) -> None:
    with replaced(older) as making:
        fill(making)
    new = {name: f"new {name}" for name in ("policy.json", "encoder.onnx", "golden-1/0.png")}
    assert contents(older) == {**new, "mine.txt": "old mine.txt"}
    assert list(older.parent.iterdir()) == [older]


def test_a_first_one_needs_no_folder(tmp_path: Path) -> None:
    with replaced(tmp_path / "sets" / "first") as making:
        fill(making)
    assert (tmp_path / "sets" / "first" / "policy.json").read_text() == "new policy.json"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), TrainerError("EXPORT_PARITY", "differs", "look")])
def test_what_stops_halfway_leaves_the_older_one_as_it_was(older: Path, error: BaseException) -> None:
    before = contents(older)
    with pytest.raises(type(error)):
        fill_and_stop(older, error)
    assert contents(older) == before
    assert list(older.parent.iterdir()) == [older]


def test_what_the_daemon_refuses_can_be_looked_at_and_is_gone_with_the_next_try(older: Path) -> None:
    before = contents(older)
    with pytest.raises(TrainerError):
        fill_and_stop(older, TrainerError("BUNDLE_REFUSED", "no", "look"))
    assert contents(older) == before
    assert (older.parent / ".bundle.making" / "policy.json").read_text() == "new policy.json"
    with replaced(older) as again:
        assert contents(again) == {}
        fill(again)
    assert list(older.parent.iterdir()) == [older]
