"""What every kind of damage needs: a run that nobody damages, how long one takes, and what became
of one."""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

from repro.storage.paths import Folder, Places
from tests.reliability.harness.forks import attempt
from tests.reliability.harness.small_run import places, small_run
from tests.reliability.harness.system_calls import watched

Figures = dict[str, Any]


def untouched(folder: Path) -> Places:
    """The run that nobody damages."""
    return places(folder, "unbroken")


def seconds(folder: Path) -> float:
    """How long an attempt takes here and now, once it is warm."""
    here, began = places(folder, "timed"), time.monotonic()
    expect(attempt(here).ended(), 0)
    shutil.rmtree(here.results)
    return time.monotonic() - began


def number_of_calls(folder: Path) -> int:
    """The file operations of one undisturbed run."""
    here, out = places(folder, "counted"), folder / "count"

    def before(count: int, name: str, arguments: tuple[Any, ...]) -> None:
        out.write_text(str(count))

    expect(attempt(here, around=partial(watched, here.results, before)).ended(), 0)
    shutil.rmtree(here.results)
    return int(out.read_text())


def some(total: int, stride: int) -> list[int]:
    """All numbers; or, with a stride, every so many."""
    return list(range(1, total + 1, stride))


def contents(found: Folder) -> dict[str, bytes]:
    """Everything that means something; the log is a diary, and a late claim is one more attempt on
    record."""
    paths = [
        path for path in found.path.iterdir() if not path.name.startswith((".", "log", "attempt"))
    ]
    return {path.name: path.read_bytes() for path in paths}


def expect(ended: dict[str, Any], code: int) -> dict[str, Any]:
    assert ended.get("code") == code, ended
    return ended


def folder_of(here: Places) -> Folder:
    return here.run(small_run().id)
