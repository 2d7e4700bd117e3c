"""How far a long test is: a redrawn line on a terminal, anywhere else a line now and then."""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta

import click

EVERY = 30.0  # seconds between two lines, where lines are not redrawn


class Counter:
    """Progress on standard error, with the time left, judged since the first call of `at`."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        # A test that continues has done images: only what came since tells the speed.
        self._first: tuple[float, int] | None = None
        self._said = time.monotonic()

    def __enter__(self) -> Counter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal and self._first is not None:
            click.echo("\r\033[K", nl=False, err=True)

    def at(self, done: int, total: int) -> None:
        """Say that so many of them are done."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, done
        if self._terminal:
            click.echo(f"\r\033[K{self._line(now, done, total)}", nl=False, err=True)
        elif now - self._said >= EVERY:
            self._said = now
            click.echo(self._line(now, done, total), err=True)

    def _line(self, now: float, done: int, total: int) -> str:
        assert self._first is not None
        began, before = self._first
        line = f"{done:,} of {total:,} {self._what}"
        if done == before or now == began:
            return line
        left = (total - done) * (now - began) / (done - before)
        return f"{line}, {timedelta(seconds=round(left))} left"
