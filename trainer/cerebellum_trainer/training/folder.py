"""Folder of one training run: it says from the first moment what runs there, and how that ended.

    run.json            configuration, versions, hashes of the inputs; state: running, finished or stopped
    run.lock            held by the process that writes
    checkpoints/        see checkpoints.py
    events.out.…        TensorBoard
    failed-batch.json   which samples a loss that is no number came from

Nothing is overwritten: a folder that holds something is refused, but for the same run continued.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cerebellum_trainer.errors import TrainerError
from cerebellum_trainer.runs import describe_run
from cerebellum_trainer.training.checkpoints import differences
from cerebellum_trainer.training.world import World

RECORD = "run.json"
LOCK = "run.lock"
# Fields of a configuration that change nothing of the result, so a continued run may have others.
FREE = ("resume", "out", "hardware.device", "hardware.threads", "hardware.workers", "loop")


class RunFolder:
    """As a context manager it notes how the run ended. Only the main process writes."""

    def __init__(self, path: Path, record: dict[str, Any], world: World) -> None:
        self.path = path
        self.record = record
        self._world = world
        self._lock: Any = None

    @classmethod
    def open(
        cls,
        path: Path,
        command: str,
        config: Any,
        inputs: Mapping[str, str],
        world: World,
        resume: bool = False,
    ) -> RunFolder:
        """`config` is a dataclass, `inputs` maps a name to a hash. With `resume` an unfinished run goes on.

        Raises: TrainerError RUN_EXISTS if the folder holds anything else, RUN_OTHER if the run there was
            started otherwise, RUN_BUSY if another process writes there.
        """
        record = {
            **describe_run(command, config, dict(inputs)),
            "state": "running",
            "startedAt": now(),
            "resumedAt": [],
            "processes": world.size,
        }
        folder = cls(path, record, world)
        if world.is_main:
            folder._begin(resume)
        world.wait()
        return folder

    def _begin(self, resume: bool) -> None:
        there = self._found()
        if there is not None and not resume:
            raise exists(self.path, f"a run that is {there['state']}", there["state"])
        if there is None and self.path.is_dir() and any(f.name != LOCK for f in self.path.iterdir()):
            raise exists(self.path, "files of something else", "finished")
        if there is not None:
            self._continue(there)
        self.path.mkdir(parents=True, exist_ok=True)
        self._take()
        self._write()

    def _found(self) -> dict[str, Any] | None:
        """The record that is there. One without a state is of a version that wrote it at the end."""
        file = self.path / RECORD
        if not file.exists():
            return None
        try:
            return {"state": "finished", **json.loads(file.read_text(encoding="utf-8"))}
        except (OSError, ValueError, TypeError) as error:
            raise TrainerError(
                "RUN_EXISTS", f"{file} cannot be read ({error!r})", "Name another folder with --out"
            ) from error

    def _continue(self, there: dict[str, Any]) -> None:
        if there["state"] == "finished":
            raise exists(self.path, "a run that is finished", "finished")
        kept = ("command", "config", "inputs")
        differing = [
            line
            for line in differences({k: there.get(k) for k in kept}, {k: self.record[k] for k in kept})
            if not is_free(line.split(" ")[0].removeprefix("config."))
        ]
        if differing:
            raise TrainerError(
                "RUN_OTHER",
                f"The run in {self.path} was started otherwise: {'; '.join(differing)}",
                "Give the same settings, or name another folder with --out",
            )
        self.record["startedAt"] = there.get("startedAt")
        self.record["resumedAt"] = [*there.get("resumedAt", []), now()]

    def _take(self) -> None:
        self._lock = (self.path / LOCK).open("w", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise TrainerError(
                "RUN_BUSY", f"Another process trains in {self.path}", "Wait for it, or name another folder"
            ) from error

    def finish(self, results: Mapping[str, Any]) -> None:
        """Notes that the run has come to its end, with what came out."""
        self.record |= {"state": "finished", "endedAt": now(), "results": dict(results)}
        self._write()

    def failed_batch(self, step: int, what: str, names: list[str]) -> None:
        if self._world.is_main:
            text = json.dumps({"step": step, "what": what, "samples": names}, indent=2)
            (self.path / "failed-batch.json").write_text(text + "\n", encoding="utf-8")

    def _write(self) -> None:
        if not self._world.is_main:
            return
        part = self.path / f"{RECORD}.part"
        part.write_text(json.dumps(self.record, indent=2, default=str) + "\n", encoding="utf-8")
        part.rename(self.path / RECORD)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.record["state"] == "running":
            code = error.code if isinstance(error, TrainerError) else kind.__name__ if kind else "UNFINISHED"
            self.record |= {"state": "stopped", "endedAt": now(), "why": f"{code}: {error}"}
            self._write()
        if self._lock is not None:
            self._lock.close()


def exists(path: Path, what: str, state: str) -> TrainerError:
    other = "Name another folder with --out"
    remedy = other if state == "finished" else f"{other}, or continue it with --resume"
    return TrainerError("RUN_EXISTS", f"{path} holds {what}", remedy)


def is_free(field: str) -> bool:
    return any(field == free or field.startswith(f"{free}.") for free in FREE)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
