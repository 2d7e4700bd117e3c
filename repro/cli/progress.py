"""What `repro run` shows while it trains: a few redrawn lines on a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from repro.cli.text_table import cut
from repro.definition.run import Run
from repro.local.workers import read_progress
from repro.storage.paths import Places

REDRAW_INTERVAL_S = 30.0  # seconds between two lines about one run, where lines are not redrawn


class ProgressLines:
    """Progress on standard error, of the runs at work."""

    def __init__(self, places: Places, runs: Mapping[str, Run], to_do: int) -> None:
        self._places, self._runs, self._to_do = places, runs, to_do
        self._count = 0
        self._drawn: list[str] = []
        self._said: dict[str, float] = {}
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def __enter__(self) -> ProgressLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._wipe()

    def look(self, at_work: list[str]) -> None:
        """Show where these runs are."""
        if self._terminal:
            lines = [self._line(run_id, _width()) for run_id in at_work]
            if lines != self._drawn:
                self._wipe()
                click.echo("\n".join(lines), err=True, nl=bool(lines))
                self._drawn = lines
            return
        now = time.monotonic()
        for run_id in at_work:
            if now - self._said.setdefault(run_id, now) >= REDRAW_INTERVAL_S:
                self._said[run_id] = now
                click.echo(self._line(run_id), err=True)

    def ended(self, event: dict[str, Any]) -> None:
        """Say how a run ended."""
        self._wipe()
        self._count += 1
        progress = read_progress(event["id"], self._places)
        how = event.get("problem") or _errors(progress)
        click.echo(
            f"[{self._count}/{self._to_do}] {event['id']}  {event['state']}  {how}", err=True
        )

    def _line(self, run_id: str, room: int = 10_000) -> str:
        """Where a run is; a narrow terminal loses its pace first, then its errors."""
        progress = read_progress(run_id, self._places)
        if not progress:
            return f"  {run_id}  starting"
        of = self._runs[run_id].recipe.iterations
        speed, left = progress.get("rate_per_second"), progress.get("eta_seconds")
        pace = f"{speed:.1f}/s" if speed else ""
        eta = f"{timedelta(seconds=round(left))} left" if left is not None else ""
        where = f"  {run_id}  {progress['iteration']}/{of}"
        for facts in ((_errors(progress), pace, eta), (_errors(progress), eta), (eta,)):
            line = "  ".join(filter(None, (where, *facts)))
            if len(line) <= room:
                return line
        return cut(where, room)

    def _wipe(self) -> None:
        if self._drawn:
            sys.stderr.write(
                f"\033[{len(self._drawn)}A\033[J"
            )  # no colour: NO_COLOR leaves it alone
            sys.stderr.flush()
            self._drawn = []


def _errors(progress: Mapping[str, Any]) -> str:
    known = ((name, progress.get(f"{name}_error")) for name in ("train", "test"))
    return "  ".join(f"{name} {error:.2f} %" for name, error in known if error is not None)


def _width() -> int:
    import shutil

    return shutil.get_terminal_size().columns
