"""`repro doctor`: check now for what would make a run fail later."""

from __future__ import annotations

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.options import documents, json_option, print_json
from repro.errors import ENVIRONMENT
from repro.storage.paths import places

# A warning ends with 0: the run would go on, only slower or with a note.
_SIGNS = {"ok": "green", "warning": "yellow", "failure": "red"}


@click.command(cls=Command)
@click.option("--on", "cluster", metavar="CLUSTER", help="Check this cluster's profile as well.")
@json_option
@click.pass_context
def command(context: click.Context, cluster: str | None, as_json: bool) -> None:
    """Check now for what would make a run fail later. Exit code 4: something would.

    For example:  repro doctor --on mycluster
    """
    from repro.cluster.preflight.doctor import examine_environment
    from repro.cluster.profile import load_profile

    here = places()
    profile = None
    if cluster:
        profile = load_profile(cluster, here.slurm)
    checks, failed = [], False
    # Each check is shown as it ends: some of them wait for a scheduler or read a disk.
    for check in examine_environment(here, profile):
        checks.append(check)
        failed |= check.verdict == "failure"
        if not as_json:
            verdict = click.style(f"{check.verdict:<8}", fg=_SIGNS[check.verdict])
            click.echo(f"{verdict}  {check.name:<11} {check.words}")
            if check.fix:
                click.echo(f"{'':<8}  {'':<11} fix: {check.fix}")
    if as_json:
        print_json({"checks": documents(checks)})
    if failed:
        context.exit(ENVIRONMENT)
