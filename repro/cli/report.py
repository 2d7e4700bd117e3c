"""`repro report`: one HTML page with every verdict, table, figure and run."""

from __future__ import annotations

import click

from repro.cli.options import json_option, print_json, scale_of_results, scale_option
from repro.protocol import catalog
from repro.storage.paths import places


@click.command("report")
@scale_option(None)
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
@json_option
def command(scale: str | None, opened: bool, as_json: bool) -> None:
    """Write the report: one HTML file that opens without a network.

    For example:  repro report --open
    """
    chosen = catalog.load_scale(scale) if scale is not None else None

    from repro.analysis.output import report
    from repro.analysis.runs.frames import collect

    here = places()
    collected = collect(here)
    experiments = [catalog.load_experiment(name) for name in catalog.NAMES]
    at_scale = chosen or scale_of_results(experiments, collected)
    path = report.write(report.report(collected, at_scale), here)
    if as_json:
        print_json({"file": str(path), "scale": at_scale.name, "bytes": path.stat().st_size})
    else:
        click.echo(str(path))
        click.echo(f"{path.stat().st_size / 1e6:.1f} MB at scale {at_scale.name}", err=True)
    if opened:
        click.launch(path.as_uri())
