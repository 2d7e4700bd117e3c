"""`repro data`: the data sets, listed, prepared, imported and checked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from repro.cli.shared.click_errors import Group
from repro.cli.shared.options import F, documents, json_option, print_json
from repro.cli.shared.text_table import print_rows
from repro.definition.bounds import check_name
from repro.errors import ENVIRONMENT
from repro.storage.paths import places

if TYPE_CHECKING:
    from repro.data.registry import DatasetInfo

COLUMNS = ("name", "state", "origin", "training", "test", "split", "hash", "where")
HASH_DIGITS = 12  # shown; --json has all
MIRROR = "Download CIFAR-10 from this mirror; only official pixels are kept."


def replace_option(function: F) -> F:
    about = "Put the new set in the place of one that is there."
    return click.option("--replace", is_flag=True, help=about)(function)


@click.group(cls=Group, no_args_is_help=True)
def command() -> None:
    """The data sets. For example:  repro data import cifar10 images.tar.gz"""


@command.command("list")
@json_option
def list_sets(as_json: bool) -> None:
    """List every data set, its state and where it is. For example:  repro data list"""
    from repro.data import registry

    _print(registry.all_datasets(places().data), as_json)


@command.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@replace_option
@click.option("--url", metavar="URL", help=MIRROR)
@json_option
def prepare(names: tuple[str, ...], replace: bool, url: str | None, as_json: bool) -> None:
    """Prepare sets before a run needs them. For example:  repro data prepare cifar10

    Jobs never download anything, so do this where there is a network. If a download breaks off,
    call it again: it continues where it stopped.
    """
    from repro.data import registry

    prepared = []
    for name in names:
        prepared.append(registry.prepare(name, places().data, replace, _percent(), url))
    _print(prepared, as_json)


@command.command("import")
@click.argument("name", metavar="NAME")
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@replace_option
@json_option
def import_set(name: str, path: Path, replace: bool, as_json: bool) -> None:
    """Make a data set of the images at PATH. For example:  repro data import cifar10 images.tar.gz

    PATH is one of these, as a folder, .tar, .tar.gz or .zip:

    \b
      CIFAR-10's python version or its binary version
      small images in train/<class>/ and test/<class>/

    or a folder with train-*.parquet and test-*.parquet, or an .npz file. The official CIFAR-10 is
    known by its pixels and labels, in whatever container and order they come. For imagenet PATH is
    a folder of the official archives, class folders, Kaggle's layout, or parquet or webdataset
    files.
    """
    from repro.data import registry

    check_name(name, "a data set")  # it becomes a folder
    if path.is_file() or path.is_dir():  # reading takes minutes; what is not there is said at once
        click.echo(f"reading {path}", err=True)
    _print([registry.import_set(name, path, places().data, replace)], as_json)


@command.command()
@click.argument("name", metavar="NAME")
@click.argument("side", metavar="SIDE", type=click.IntRange(min=1))
@replace_option
@json_option
def resize(name: str, side: int, replace: bool, as_json: bool) -> None:
    """Make a copy of a set of photos with smaller images.

    For example:  repro data resize imagenet 480

    The copy is the set NAME-SIDE. Its images have a shorter side of SIDE pixels at most: larger
    ones are resized and written as JPEG of quality 95, others stay as they are. Training
    decodes it faster, but its numbers are not the paper's. `--set dataset=imagenet-480` therefore
    makes other runs, with ids of their own.
    """
    from repro.data import registry

    check_name(name, "a data set")
    _print([registry.resize_set(name, side, places().data, replace)], as_json)


@command.command(short_help="Read whole sets and compare their hashes.")
@click.argument("names", nargs=-1, metavar="[NAME…]")
@json_option
@click.pass_context
def check(context: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Read whole sets and compare their hashes; without a name, all sets.

    For example:  repro data check
    """
    from repro.data import registry

    folder = places().data
    # A set that was named is checked even where it is missing: that is an answer as well.
    if not names:
        found = registry.all_datasets(folder)
        names = tuple(one.name for one in found if one.state in ("ready", "damaged"))
    checked = [registry.dataset_info(name, folder, whole=True) for name in names]
    _print(checked, as_json)
    if not as_json:
        _print_digests(checked)
    if not checked:
        click.echo(
            f"no data sets in {folder}\n\n"
            "hint: `repro data prepare cifar10`, or `repro data import`",
            err=True,
        )
    failed = False
    for one in checked:
        failed |= one.state in ("missing", "damaged")
        if one.state == "missing":
            click.echo(f"\n{one.name} is not in {folder}\n\nhint: {one.hint}", err=True)
    if failed:
        context.exit(ENVIRONMENT)


def _print_digests(checked: list[DatasetInfo]) -> None:
    """Print the digest that others can compare, and what a set without one still needs."""
    from repro.data import registry

    for digest, advice in map(registry.attestation, checked):
        if digest:
            click.echo(f"\n{digest}")
        if advice:
            click.echo(f"\nhint: {advice}", err=True)


def _print(found: list[DatasetInfo], as_json: bool) -> None:
    """The facts on stdout; what is wrong with a set, and what to do, on stderr."""
    if as_json:
        print_json({"sets": documents(found)})
        return
    rows = [COLUMNS, *map(_row, found)]
    if sys.stdout.isatty():
        # A path in the last column would be cut off: the folder is said once.
        print_rows([row[:-1] for row in rows])
        click.echo(f"folder: {places().data}")
    else:
        print_rows(rows)
    for one in found:
        if one.split_made_here:
            click.echo(f"\n{one.name} came without a split: {one.split_made_here}", err=True)
        if one.difference:
            click.echo(f"\n{one.name} is not the official one: {one.difference}", err=True)
        if one.problem:
            click.echo(f"\n{one.name}: {one.problem}\n\nhint: {one.hint}", err=True)


def _row(one: DatasetInfo) -> tuple[str, ...]:
    return (
        one.name,
        one.state,
        one.origin or "–",
        _count(one.train_images),
        _count(one.test_images),
        one.split_in_short,
        (one.hash or "–")[:HASH_DIGITS],
        one.where,
    )


def _count(images: int | None) -> str:
    if images is None:
        return "–"
    return f"{images:,}"


def _percent() -> Callable[[int, int], None]:
    """Says on stderr how far a download is, ten times."""
    said = -1

    def say(done: int, of: int) -> None:
        nonlocal said
        if 10 * done // of > said:  # a log of a thousand lines helps nobody
            said = 10 * done // of
            click.echo(f"downloading: {10 * said} %", err=True)

    return say
