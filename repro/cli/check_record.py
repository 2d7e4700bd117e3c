"""`repro check-record`: check records that a lab offers, by themselves."""

from __future__ import annotations

from pathlib import Path

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.options import json_option, print_json
from repro.cli.shared.text_table import counted
from repro.errors import FAILED, FINE, printable
from repro.storage.paths import places


@click.command("check-record", cls=Command)
@click.argument("paths", nargs=-1, metavar="[PATH…]")
@json_option
def command(paths: tuple[str, ...], as_json: bool) -> int:
    """Check records by themselves: one line for each problem, exit code 1 if there is one.

    PATH is a record, a lab's folder, or a folder of labs (default: results/labs). Looked at are the
    files and their digests, the run's id against its definition, the curve against the final
    numbers, the values, the images, the code, and the lab's own file.

    For example:  repro check-record results/labs/kyoto-vision
    """
    from repro.analysis.runs.lab_checks import Checked, check_path

    checked = Checked()
    for path in list(map(Path, paths)) or _default():
        one = check_path(path)
        checked.records += one.records
        checked.problems += one.problems
        checked.notes += one.notes  # what a reviewer may want to know, and no reason to refuse
    if as_json:
        problems, notes = _as_documents(checked.problems), _as_documents(checked.notes)
        print_json({"records": checked.records, "problems": problems, "notes": notes})
    else:
        # Names come from a pull request: what cannot be printed could drive the terminal.
        for folder, problem in checked.problems:
            click.echo(f"{printable(folder)}: {problem}")
        for folder, note in checked.notes:
            click.echo(f"note: {printable(folder)}: {note}", err=True)
        count = counted(len(checked.problems), "problem")
        click.echo(f"{counted(checked.records, 'record')}, {count}", err=True)
    return FAILED if checked.problems else FINE


def _default() -> list[Path]:
    """Return the folder of all labs, where there is one: a results folder may have no labs yet."""
    folder = places().labs
    if folder.is_dir():
        return [folder]
    return []


def _as_documents(lines: list[tuple[str, str]]) -> list[dict[str, str]]:
    facts = []
    for folder, text in lines:
        facts.append({"folder": printable(folder), "problem": text})
    return facts
