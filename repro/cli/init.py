"""`repro init`: lay out a folder to work in."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from repro.cli.shared.click_errors import Command
from repro.errors import UserError, quote
from repro.storage.atomic import write_errors_explained
from repro.storage.paths import IS_CHECKOUT, ROOT, SHIPPED

# What is to be edited or compared with: an installed package keeps its copies out of sight.
LAID_OUT = ("slurm/example.toml", "results/published", "results/labs")


@click.command(cls=Command)
@click.argument(
    "folder",
    default=".",
    metavar="[FOLDER]",
    type=click.Path(file_okay=False, path_type=Path),
)
def command(folder: Path) -> None:
    """Prepare FOLDER (default: this one): write an example profile of a cluster, and the published
    records.

    Files that are there are not replaced. An installed repro uses the folder you call it in.

    For example:  repro init my-reproduction
    """
    if folder.resolve() == ROOT and IS_CHECKOUT:
        raise UserError(f"{quote(folder)} is repro's own checkout", "it has everything already")
    source = ROOT if IS_CHECKOUT else SHIPPED
    with write_errors_explained(folder):
        for name in LAID_OUT:
            target = folder / name
            if target.exists():  # it may have been edited since
                click.echo(f"{target}: there already", err=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if (source / name).is_dir():
                shutil.copytree(source / name, target)
            else:
                shutil.copyfile(source / name, target)
            click.echo(str(target))
    click.echo(
        "next: copy slurm/example.toml to slurm/CLUSTER.toml and fill in two lines", err=True
    )
