"""What `repro run` shows while it trains: redrawn lines on a terminal, else plain ones."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import click

from repro.cli.shared.text_table import counted, cut
from repro.definition.run import Run
from repro.errors import UserError
from repro.local.run import Watcher
from repro.local.workers import RunEnd
from repro.storage.paths import places
from repro.storage.run_files import Progress, read_progress

# Where lines are not redrawn, as in a log, a run that is at work gets another line only after both.
LINE_INTERVAL_S = 30.0
LINE_SHARE = 0.01  # of its iterations


class ProgressLines(Watcher):
    """Progress on standard error, of the runs at work: the watcher of `repro run`."""

    def __init__(self) -> None:
        self._places = places()
        self._runs: dict[str, Run] = {}
        self._to_do = 0
        self._count = 0
        self._drawn: list[str] = []
        self._last_line: dict[str, tuple[float, int]] = {}  # of each run: when, and its iteration
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def __enter__(self) -> ProgressLines:
        return self

    def __exit__(self, *_: object) -> None:
        self._wipe()

    def begin(self, runs: Sequence[Run], to_do: Sequence[Run]) -> None:
        """Say how many runs are done and to do."""
        self._runs = {run.id: run for run in runs}
        self._to_do = len(to_do)
        done = len(runs) - len(to_do)
        click.echo(f"{counted(len(runs), 'run')}: {done} done, {len(to_do)} to do", err=True)

    def say(self, text: str) -> None:
        """Say what takes a while."""
        click.echo(text, err=True)

    def warn(self, warning: str, hint: str) -> None:
        """Show a warning, with what to do."""
        click.echo(f"Warning: {warning}", err=True)
        click.echo(f"hint: {hint}\n", err=True)

    def look(self, at_work: list[str]) -> None:
        """Show where the runs at work are."""
        if self._terminal:
            # Asked each time: a window may be resized while it trains.
            width = shutil.get_terminal_size().columns
            lines = [self._line(run_id, width) for run_id in at_work]
            if lines != self._drawn:
                self._wipe()
                click.echo("\n".join(lines), err=True, nl=bool(lines))
                self._drawn = lines
            return
        for run_id in at_work:
            self._print_if_new(run_id)

    def _print_if_new(self, run_id: str) -> None:
        """Print a line when a run begins, and when it is well ahead of its last line."""
        now, progress = time.monotonic(), self._progress(run_id)
        iteration = (progress and progress.iteration) or 0
        if run_id in self._last_line:
            then, before = self._last_line[run_id]
            step = max(1, LINE_SHARE * self._runs[run_id].recipe.iterations)
            if now - then < LINE_INTERVAL_S or iteration - before < step:
                return
        self._last_line[run_id] = now, iteration
        click.echo(self._line(run_id), err=True)

    def ended(self, event: RunEnd) -> None:
        """Say how a run ended."""
        self._wipe()  # the lines of the runs at work are drawn again below this one
        self._count += 1
        outcome = event.get("problem") or _errors(self._progress(event["id"]))
        line = f"[{self._count}/{self._to_do}] {event['id']}  {event['state']}  {outcome}"
        click.echo(line, err=True)

    def _line(self, run_id: str, room: int = 10_000) -> str:
        """Return where a run is; a narrow terminal loses its pace first, then its errors."""
        progress = self._progress(run_id)
        if not progress:
            return f"  {run_id}  starting"
        iterations = self._runs[run_id].recipe.iterations
        pace = time_left = ""
        if progress.rate_per_second:
            pace = f"{progress.rate_per_second:.1f}/s"
        if progress.eta_seconds is not None:
            time_left = f"{timedelta(seconds=round(progress.eta_seconds))} left"
        errors = _errors(progress)
        start = f"  {run_id}  {progress.iteration}/{iterations}"
        for facts in ((errors, pace, time_left), (errors, time_left), (time_left,)):
            line = "  ".join(filter(None, (start, *facts)))
            if len(line) <= room:
                return line
        return cut(start, room)

    def _progress(self, run_id: str) -> Progress | None:
        with suppress(UserError):  # a damaged file stops no display
            return read_progress(self._places.run(run_id))
        return None

    def _wipe(self) -> None:
        if self._drawn:
            # No colour: NO_COLOR leaves it alone.
            sys.stderr.write(f"\033[{len(self._drawn)}A\033[J")
            sys.stderr.flush()
            self._drawn = []


def _errors(progress: Progress | None) -> str:
    parts = []
    for name in ("train", "test"):
        error = getattr(progress, f"{name}_error", None)
        if error is not None:
            parts.append(f"{name} {error:.2f} %")
    return "  ".join(parts)
