"""What `repro run` shows while it trains: a few redrawn lines on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from repro.folders import Places
from repro.here import progress_of
from repro.spec import Run

EVERY = 30.0  # seconds between two lines about one run, where lines are not redrawn


class Live:
    """Progress on standard error, of the runs at work."""

    def __init__(self, places: Places, runs: Mapping[str, Run], to_do: int) -> None:
        self._places, self._runs, self._to_do = places, runs, to_do
        self._count = 0
        self._drawn = 0
        self._said: dict[str, float] = {}
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self._wipe()

    def look(self, at_work: list[str]) -> None:
        """Show where these runs are."""
        if self._terminal:
            self._wipe()
            lines = [self._line(run_id) for run_id in at_work]
            for line in lines:
                click.echo(line[: _width()], err=True)
            self._drawn = len(lines)
            return
        now = time.monotonic()
        for run_id in at_work:
            if now - self._said.setdefault(run_id, now) >= EVERY:
                self._said[run_id] = now
                click.echo(self._line(run_id), err=True)

    def ended(self, event: dict[str, Any]) -> None:
        """Say how a run ended."""
        self._wipe()
        self._count += 1
        progress = progress_of(event["id"], self._places)
        how = event.get("problem") or _errors(progress)
        click.echo(f"[{self._count}/{self._to_do}] {event['id']}  {event['state']}  {how}", err=True)

    def _line(self, run_id: str) -> str:
        progress = progress_of(run_id, self._places)
        if not progress:
            return f"  {run_id}  starting"
        of = self._runs[run_id].recipe.iterations
        speed, left = progress.get("rate_per_second"), progress.get("eta_seconds")
        pace = f"  {speed:.1f}/s" if speed else ""
        eta = f"  {timedelta(seconds=round(left))} left" if left is not None else ""
        return f"  {run_id}  {progress['iteration']}/{of}  {_errors(progress)}{pace}{eta}"

    def _wipe(self) -> None:
        if self._drawn:
            click.echo(f"\033[{self._drawn}A\033[J", nl=False, err=True)
            self._drawn = 0


def _errors(progress: Mapping[str, Any]) -> str:
    known = ((name, progress.get(f"{name}_error")) for name in ("train", "test"))
    return "  ".join(f"{name} {error:.2f} %" for name, error in known if error is not None)


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns
