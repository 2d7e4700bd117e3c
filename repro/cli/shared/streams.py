"""Standard input, output and error: closed, full, a pipe that nobody reads, without colours."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

import click

from repro.errors import EnvironmentProblem, UserError

COLOURS = ("auto", "always", "never")
_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
READER_GONE = 141  # what a shell says of a tool that SIGPIPE ended


def open_closed_streams() -> None:
    """Open descriptors 0 to 2 where they are closed, so that no file of ours becomes one."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


def make_output_tolerant() -> None:
    """Where the terminal's encoding lacks a letter, print a `?` rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def discard_output() -> None:
    """Let what is still in the buffers go nowhere, so that Python does not fail at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            if _fails(stream):
                os.dup2(nowhere, stream.fileno())


def of_stream(error: OSError) -> UserError | None:
    """Return that the output could not be written, if that is what failed.

    A stream has no file name; where one of our files cannot be written, the error names it.
    """
    if error.filename is not None or error.errno not in _OF_WRITING:
        return None
    problem = f"cannot write to standard output: {error.strerror or error}"
    return EnvironmentProblem(problem, "send it to a terminal, or to a file with space")


def _fails(stream: TextIO) -> bool:
    """Return whether a stream still fails: what could not be written may still be in its buffer."""
    try:
        stream.flush()
    except (OSError, ValueError):
        return True
    return False


def wanted_colour(words: Sequence[str]) -> bool | None:
    """Return whether `--color` or the environment wants colours; None: the terminal decides."""
    choice = "auto"
    for number, word in enumerate(words):
        if word.startswith("--color="):
            choice = word.partition("=")[2]
        elif word == "--color" and number + 1 < len(words):
            choice = words[number + 1]
    if choice == "always":
        return True
    # What is typed counts before the environment; https://no-color.org.
    if choice == "never" or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return None


def paints(stream: TextIO | None = None) -> bool:
    """Return whether output is in colour."""
    context = click.get_current_context(silent=True)
    colour = context.color if context else wanted_colour(())
    if colour is None:
        return (stream or sys.stdout).isatty()
    return colour
