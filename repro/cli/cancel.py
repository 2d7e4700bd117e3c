"""`repro cancel`: take runs out of the queue."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence

import click

from repro.cli.options import json_option, one_scale_option, print_json
from repro.cli.text_table import counted
from repro.errors import UserError
from repro.storage.paths import places


@click.command()
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN…")
@one_scale_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(patterns: Sequence[str], scale: str | None, yes: bool, as_json: bool) -> None:
    """Take runs out of the queue, by experiment, by id with * and ?, or by job number. A running one saves first.

    Runs that share a job end together. What is cancelled stays so until `repro submit` sends it again; it then carries
    on.

    For example:  repro cancel figure6 '!*110*'
    """
    from repro.cluster import slurm
    from repro.cluster.records.ownership import newest_claim
    from repro.cluster.status.selection import beside, select_folders
    from repro.cluster.status.state import all_states

    here = places()
    folders = select_folders(patterns, here, True, scale)
    found = [state for state in all_states(folders, here) if state.live and state.job]
    jobs = {state.job for state in found}
    sharing = [
        state
        for state in all_states(beside(folders, here), here)
        if state.live and state.job in jobs
    ]
    said = counted(len(found), "run") + (
        f", and {len(sharing)} that share their jobs" if sharing else ""
    )
    if found and not yes:
        if not sys.stdin.isatty():
            raise UserError(f"{said} would be cancelled", "say `--yes`")
        click.confirm(f"Cancel {said}?", abort=True, err=True)
    found += sharing
    by_cluster: dict[str | None, list[str]] = defaultdict(list)
    for state in found:
        claim = newest_claim(here.run(state.id))
        by_cluster[claim.slurm_conf if claim else None].append(state.job or "")
    for conf, names in by_cluster.items():
        slurm.run_slurm_command(["scancel", *dict.fromkeys(names)], conf)
    if as_json:
        print_json({"cancelled": [{"id": state.id, "job": state.job} for state in found]})
        return
    for state in found:
        click.echo(f"{state.id}\t{state.job}")
    click.echo(f"cancelled {said}" if found else "nothing runs or waits among these", err=True)
