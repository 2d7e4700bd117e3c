"""`repro logs`: what a run said."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.completers import complete_runs
from repro.cli.shared.param_types import WholeNumber
from repro.cli.shared.text_table import counted
from repro.errors import Incomplete, UserError, quote
from repro.storage.paths import Folder, places
from repro.storage.run_files import read_final

ERRORS = "What went to standard error, and SLURM's own messages."
RANK = "The log of process K, if several train the run."


@click.command(cls=Command)
@click.argument("run", metavar="RUN", shell_complete=complete_runs)
@click.option("-f", "--follow", is_flag=True, help="Keep printing as the log grows, until Ctrl-C.")
@click.option("--err", "errors", is_flag=True, help=ERRORS)
@click.option("--rank", type=WholeNumber(0), metavar="K", help=RANK)
@click.option("-n", "--lines", type=WholeNumber(1), metavar="N", help="The last N lines only.")
def command(run: str, follow: bool, errors: bool, rank: int | None, lines: int | None) -> None:
    """Print the log of a run. RUN is its id, a pattern that fits only one run, or a job number.

    For example:  repro logs 'resnet-110*paper.s0*' -f
    """
    from repro.cluster.status import logs
    from repro.cluster.status.matched_folders import select_folders

    here = places()
    folders = select_folders([run], here, must_match=True)
    if len(folders) > 1:
        some = ", ".join(folder.path.name for folder in folders[:3])
        raise UserError(f"{quote(run)} means {len(folders)} runs: {some} …", "name one of them")
    run_id = folders[0].path.name
    paths = logs.logs_of(run_id, here, errors)
    if rank is not None:
        ending = f"_{rank}_log.{'err' if errors else 'out'}"  # as submitit names them
        paths = [path for path in paths if path.name.endswith(ending)]
    if not paths:  # no mistake: it may wait in a queue
        raise Incomplete(f"{run_id} has said nothing yet", "`repro status` says where it is")
    _print_all(paths, lines, follow)
    if not (follow or errors):
        _print_efficiency(here.run(run_id))


def _print_all(paths: Sequence[Path], lines: int | None, follow: bool) -> None:
    """Print each log; follow the first one at the end, if wanted."""
    # The run's own log is the first; those of SLURM do not grow while it trains.
    for path in paths[1:] if follow else paths:
        if len(paths) > 1:
            click.echo(f"==> {path}", err=True)
        _print(path, lines)
    if follow:
        if len(paths) > 1:
            click.echo(f"==> {paths[0]}", err=True)
        _follow(paths[0])


def _print_efficiency(folder: Folder) -> None:
    """Say in one line what a run used, once it is done."""
    try:
        final = read_final(folder)
    except UserError:  # a damaged record: `repro status` says so, and the log is shown all the same
        return
    if final is None or not final.provenance.seconds:
        return
    facts = final.provenance
    parts = [f"{timedelta(seconds=round(facts.seconds or 0))} on {facts.device or 'one device'}"]
    if facts.threads:
        parts.append(counted(facts.threads, "thread"))
    if facts.gpu.get("mean_percent") is not None:
        parts.append(f"GPU {facts.gpu['mean_percent']:.0f} % busy")
    if facts.gpu.get("peak_memory_gib") is not None:
        parts.append(f"{facts.gpu['peak_memory_gib']:.1f} GiB of its memory")
    if facts.attempts:
        parts.append(counted(facts.attempts, "attempt"))
    click.echo(f"efficiency: {', '.join(parts)}", err=True)


def _follow(path: Path) -> None:
    from repro.cluster.status.logs import follow

    for text in follow(path):
        click.echo(text, nl=False)
        sys.stdout.flush()


def _print(path: Path, lines: int | None) -> None:
    text = path.read_text(errors="replace").splitlines()
    for line in text[-lines:] if lines else text:
        click.echo(line)
