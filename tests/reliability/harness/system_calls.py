"""Every call that a process makes to change or read its run's folder: seen, counted, and made to
fail or to kill.

The product writes with `os` functions only, so wrapping these sees everything; `power.py` checks
that it does.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHANGING = (
    "open",
    "write",
    "fsync",
    "close",
    "replace",
    "link",
    "unlink",
    "mkdir",
    "chmod",
    "fchmod",
)
READING = ("listdir",)

Before = Callable[[int, str, tuple[Any, ...]], None]
After = Callable[[str, tuple[Any, ...], Any], None]


@contextmanager
def watched(
    root: Path, before: Before, after: After = lambda *_: None, reads: bool = True
) -> Iterator[None]:
    """Call `before(number, name, arguments)` ahead of each call that concerns what is under
    `root`."""
    originals = {name: getattr(os, name) for name in CHANGING + (READING if reads else ())}
    originals_io = io.open
    handles: set[int] = set()
    count = 0

    def concerns(name: str, arguments: tuple[Any, ...]) -> bool:
        first = arguments[0] if arguments else None
        return first in handles if isinstance(first, int) else str(first).startswith(str(root))

    def wrapped(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal count
            if not concerns(name, arguments):
                return original(*arguments, **more)
            count += 1
            try:
                before(count, name, arguments)
            except OSError:
                if name == "close":  # a close that fails has closed
                    original(*arguments)
                raise
            result = original(*arguments, **more)
            if name == "open" and isinstance(result, int):
                handles.add(result)
            if name == "close":
                handles.discard(arguments[0])
            after(name, arguments, result)
            return result

        return call

    for name, original in originals.items():
        setattr(os, name, wrapped(name, original))
    if reads:
        io.open = wrapped("read", originals_io)
    try:
        yield
    finally:
        io.open = originals_io
        for name, original in originals.items():
            setattr(os, name, original)


def killed_at(number: int) -> Before:
    """Kill this process, as `kill -9` does, ahead of its n-th call."""

    def before(count: int, name: str, arguments: tuple[Any, ...]) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return before


def stopped_at(number: int) -> Before:
    """Stop this process, as a machine that hangs, ahead of its n-th call."""

    def before(count: int, name: str, arguments: tuple[Any, ...]) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGSTOP)

    return before


def failing_at(number: int, code: int, lasting: bool = False) -> Before:
    """Make the n-th call fail; a lasting fault makes every later one fail that needs room on the
    disk."""

    def before(count: int, name: str, arguments: tuple[Any, ...]) -> None:
        if count == number or (
            lasting and count > number and name in ("open", "write", "fsync", "mkdir", "link")
        ):
            raise OSError(code, os.strerror(code), str(arguments[0]))

    return before
