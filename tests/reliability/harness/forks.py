"""A process whose children train: torch is imported once, and each attempt is a fork that may be
killed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from repro.errors import UserError
from repro.storage.paths import Places
from repro.training.attempt import Superseded
from tests.reliability.harness.small_run import trained


@dataclass
class Child:
    """An attempt in a process of its own."""

    pid: int
    _answer: int

    def ended(self) -> dict[str, Any]:
        """How it ended: `{"signal": 9}`, or what it said."""
        with os.fdopen(self._answer, "rb") as pipe:
            said = pipe.read()
        _, status = os.waitpid(self.pid, 0)
        return {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else json.loads(said)


def attempt(
    here: Places,
    around: Callable[[], AbstractContextManager[None]] = nullcontext,
    do: Callable[[Places], Any] = trained,
) -> Child:
    """Start an attempt; `around` is entered in the child, around the training."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Child(pid, reading)
    try:
        with around():
            do(here)
        said: dict[str, Any] = {"code": 0}
    except UserError as error:
        said = {"code": error.code, "problem": error.problem, "hint": error.hint}
    except Superseded as error:
        said = {"code": 0, "superseded": str(error)}
    except BaseException as error:
        said = {"code": None, "problem": f"{type(error).__name__}: {error}"}
    os.write(writing, json.dumps(said).encode())
    os._exit(0)
