"""`repro logs`: what a run said."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from repro.cli.click_errors import Command
from repro.cli.options import WholeNumber, complete_runs
from repro.errors import Incomplete, quote
from repro.storage.paths import places


@click.command(cls=Command)
@click.argument("run", metavar="RUN", shell_complete=complete_runs)
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows, until Ctrl-C.")
@click.option(
    "--err", "errors", is_flag=True, help="What went to standard error, and SLURM's own messages."
)
@click.option(
    "--rank", type=WholeNumber(0), metavar="K", help="Another process of a run that several train."
)
@click.option("-n", "--lines", type=WholeNumber(1), metavar="N", help="The last N lines only.")
def command(run: str, follow: bool, errors: bool, rank: int | None, lines: int | None) -> None:
    """What a run said. RUN is its id, or a pattern or job number that means one run.

    For example:  repro logs 'resnet-110*paper.s0*' -f
    """
    from repro.cluster.status import logs
    from repro.cluster.status.selection import select_folders
    from repro.errors import UserError

    here = places()
    folders = select_folders([run], here, must_match=True)
    if len(folders) > 1:
        some = ", ".join(folder.path.name for folder in folders[:3])
        raise UserError(f"{quote(run)} means {len(folders)} runs: {some} …", "name one of them")
    run_id = folders[0].path.name
    paths = logs.logs_of(run_id, here, errors)
    if rank is not None:
        ending = f"_{rank}_log.{'err' if errors else 'out'}"
        paths = [path for path in paths if path.name.endswith(ending)]
    if not paths:
        raise Incomplete(f"{run_id} has said nothing yet", "`repro status` says where it is")
    for path in paths:
        if len(paths) > 1:
            click.echo(f"==> {path}", err=True)
        if not follow or path != paths[0]:
            _print(path, lines)
    if follow:
        _follow(paths[0])


def _follow(path: Path) -> None:
    from repro.cluster.status.logs import follow

    for text in follow(path):
        click.echo(text, nl=False)
        sys.stdout.flush()


def _print(path: Path, lines: int | None) -> None:
    text = path.read_text(errors="replace").splitlines()
    for line in text[-lines:] if lines else text:
        click.echo(line)
