"""`repro report`: one HTML page with every verdict, table, figure and run."""

from __future__ import annotations

import click

from repro import api
from repro.cli.shared.click_errors import Command
from repro.cli.shared.options import json_option, print_json, print_scale, scale_option
from repro.protocol import catalog
from repro.protocol.selection import Selection


@click.command("report", cls=Command)
@scale_option(None)
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
@json_option
def command(scale: str | None, opened: bool, as_json: bool) -> None:
    """Write the report: one HTML file that opens without a network.

    For example:  repro report --open
    """
    if scale is not None:  # a scale that is none is a mistake, said before all runs are read
        catalog.load_scale(scale)
    # One page for everything: a part of it would look like a report on the whole paper.
    selection = Selection(catalog.REPRODUCED, scale)
    selection, collected = print_scale(selection)
    path = api.report(selection.scale, collected)
    size = path.stat().st_size
    if as_json:
        print_json({"file": str(path), "scale": selection.scale, "bytes": size})
    else:
        click.echo(str(path))
        click.echo(f"{size / 1e6:.1f} MB at scale {selection.scale}", err=True)
    if opened:
        click.launch(path.as_uri())
