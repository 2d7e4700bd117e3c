"""An attempt as the other processes of a run see it: only the first process writes."""

from __future__ import annotations

from typing import Any

from repro.definition.run import Run
from repro.storage.paths import Folder
from repro.training import checkpoint
from repro.training.attempt import Attempt, must_be_of


class ReadOnlyAttempt(Attempt):
    """An attempt that reads the checkpoint and publishes nothing."""

    def __init__(self, folder: Folder, run: Run) -> None:
        super().__init__(folder, 0, run)

    def load(self) -> dict[str, Any] | None:
        newest = checkpoint.find_checkpoint(self.folder)
        if newest is None:
            return None
        must_be_of(self.run, newest)
        return newest.state

    def say(self, line: str) -> None: ...

    def check(self) -> None: ...

    def open_metrics(self, size: int) -> None: ...

    def record(self, row: dict[str, Any]) -> int:
        return 0

    def save(self, snapshot: dict[str, Any]) -> None: ...

    def progress(self, state: str, iteration: int, **facts: Any) -> None: ...

    def finish(self, measured: dict[str, Any]) -> dict[str, Any]:
        return measured

    def fail(
        self, state: str, iteration: int, problem: str, hint: str = "", cause: str = ""
    ) -> None: ...
