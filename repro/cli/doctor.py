"""`repro doctor`: check now for what would make a run fail later."""

from __future__ import annotations

from dataclasses import asdict

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.options import json_option, print_json
from repro.errors import ENVIRONMENT, FINE
from repro.storage.paths import places

_SIGNS = {"ok": "green", "warning": "yellow", "failure": "red"}


@click.command(cls=Command)
@click.option("--on", "cluster", metavar="CLUSTER", help="Check this cluster's profile as well.")
@json_option
@click.pass_context
def command(context: click.Context, cluster: str | None, as_json: bool) -> None:
    """Check now for what would make a run fail later. Exit code 4: something would.

    For example:  repro doctor --on mycluster
    """
    from repro.cluster import profile as profiles
    from repro.cluster.preflight.doctor import examine_environment

    here = places()
    checks = []
    for check in examine_environment(
        here, profiles.load_profile(cluster, here.slurm) if cluster else None
    ):
        checks.append(check)
        if not as_json:
            verdict = click.style(f"{check.verdict:<8}", fg=_SIGNS[check.verdict])
            click.echo(f"{verdict}  {check.name:<11} {check.words}")
            if check.fix:
                click.echo(f"{'':<8}  {'':<11} fix: {check.fix}")
    if as_json:
        print_json({"checks": [asdict(check) for check in checks]})
    context.exit(ENVIRONMENT if any(check.verdict == "failure" for check in checks) else FINE)
