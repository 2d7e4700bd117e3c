"""`repro cancel`: take runs out of the queue."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from repro.cli.shared import options
from repro.cli.shared.click_errors import Command
from repro.cli.shared.completers import complete_selection
from repro.cli.shared.text_table import counted
from repro.errors import UserError
from repro.storage.paths import Places, places

if TYPE_CHECKING:
    from repro.cluster.status.run_states import State


@click.command(cls=Command)
@click.argument(
    "patterns", nargs=-1, required=True, metavar="PATTERN…", shell_complete=complete_selection
)
@options.one_scale_option
@options.part_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.json_option
def command(
    patterns: Sequence[str],
    scale: str | None,
    only: Sequence[str],
    skip: Sequence[str],
    yes: bool,
    as_json: bool,
) -> None:
    """Cancel runs by experiment, by id with * and ?, or by job number. A run that is training saves
    first.

    Runs that share a job are cancelled together. `repro submit` sends a cancelled run again; it
    then continues from its checkpoint.

    For example:  repro cancel figure6 '!*110*'
    """
    from repro.cluster import slurm
    from repro.cluster.status.matched_folders import beside, select_folders
    from repro.cluster.status.run_states import all_states

    here = places()
    folders = options.keep_selected(select_folders(patterns, here, True, scale), only, skip)
    # Only what has a job: a run that `repro run` trains here is stopped by Ctrl-C there.
    to_cancel = [state for state in all_states(folders, here) if state.live and state.job]
    sharing = _in_jobs_of(to_cancel, all_states(beside(folders, here), here))
    in_words = counted(len(to_cancel), "run")
    if sharing:
        in_words += f", and {len(sharing)} that share their jobs"
    if to_cancel and not yes:
        _ask(in_words)
    to_cancel += sharing
    # An element of an array is named once, however many runs it packs.
    for conf, job_ids in _jobs_by_cluster(to_cancel, here).items():
        slurm.run_slurm_command(["scancel", *dict.fromkeys(job_ids)], conf)
    if as_json:
        facts = [{"id": state.id, "job": state.job} for state in to_cancel]
        options.print_json({"cancelled": facts})
        return
    for state in to_cancel:
        click.echo(f"{state.id}\t{state.job}")
    if to_cancel:
        click.echo(f"cancelled {in_words}", err=True)
    else:
        click.echo("nothing runs or waits among these", err=True)


def _ask(in_words: str) -> None:
    if not sys.stdin.isatty():  # nobody could answer
        raise UserError(f"{in_words} would be cancelled", "say `--yes`")
    click.confirm(f"Cancel {in_words}?", abort=True, err=True)


def _in_jobs_of(states: Sequence[State], others: Sequence[State]) -> list[State]:
    """Return the other runs that end with these: SLURM cancels no part of a job."""
    jobs = {state.job for state in states}
    return [other for other in others if other.live and other.job in jobs]


def _jobs_by_cluster(states: Sequence[State], here: Places) -> dict[str | None, list[str]]:
    """Return the job ids by the SLURM configuration they were sent with."""
    from repro.cluster.records.ownership import newest_claim

    by_cluster: dict[str | None, list[str]] = defaultdict(list)
    for state in states:
        claim = newest_claim(here.run(state.id))
        by_cluster[claim.slurm_conf if claim else None].append(state.job or "")
    return by_cluster
