"""`repro config`: every setting in force, and where it comes from."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import click

from repro.cli.shared.click_errors import Command
from repro.cli.shared.options import json_option, print_json
from repro.cli.shared.submit_options import on_option
from repro.cli.shared.text_table import print_rows
from repro.storage.paths import Places, places

# Variables with one meaning for every command. Those of a profile's keys are shown with a profile.
SETTINGS = (  # variable, what it is where it is not set
    ("REPRO_DEVICE", "a GPU where there is one"),
    ("REPRO_THREADS", "an equal share of the cores"),
    ("REPRO_SAVE_EVERY", "a minute"),
    ("REPRO_CAPTURE", "1"),
    ("REPRO_ON", "none"),
    ("REPRO_SCRATCH", "none"),
    ("REPRO_GROUP_READABLE", "0"),
    ("REPRO_TRUST_FOLDER", "0"),
    ("NO_COLOR", "unset"),
)


@click.command(cls=Command)
@on_option("The settings of this cluster's profile as well.")
@click.option("--show-origin", is_flag=True, help="Say where each value comes from.")
@json_option
def command(cluster: str | None, show_origin: bool, as_json: bool) -> None:
    """Show every setting. The command line counts first, then REPRO_ variables, then the profile,
    then the defaults.

    For example:  repro config --show-origin --on mycluster
    """
    here = places()
    settings = [*_folders(here), *_variables()]
    if cluster:
        settings += _profile(cluster, here)
    if as_json:
        facts = []
        for name, value, origin in settings:
            facts.append({"name": name, "value": value, "origin": origin})
        print_json({"settings": facts})
        return
    columns = 2 + show_origin  # the origin is the third
    rows = [("setting", "value", "origin")[:columns]]
    for name, value, origin in settings:
        rows.append((name, _text(value), origin)[:columns])
    print_rows(rows)


def _folders(here: Places) -> Iterator[tuple[str, Any, str]]:
    for name in ("results", "figures", "data"):
        variable = f"REPRO_{name.upper()}"
        yield name, str(getattr(here, name)), _origin(variable)
    yield "slurm", str(here.slurm), "default"


def _variables() -> Iterator[tuple[str, Any, str]]:
    for variable, default in SETTINGS:
        yield variable, os.environ.get(variable) or default, _origin(variable)


def _origin(variable: str) -> str:
    """Return where the value of a variable comes from; an empty one counts as unset."""
    if os.environ.get(variable):
        return variable
    return "default"


def _profile(cluster: str, here: Places) -> Iterator[tuple[str, Any, str]]:
    from repro.cluster.profile import Profile, load_profile

    profile = load_profile(cluster, here.slurm)
    path = here.slurm / f"{cluster}.toml"
    # A profile has every key in the end: the file tells which of them it named.
    written = tomllib.loads(path.read_text("utf-8-sig"))
    for field in fields(Profile):
        variable = f"REPRO_{field.name.upper()}"
        origin = "default"
        if field.name in written or field.name == "name":
            origin = str(path)
        # The environment counts before the file, as in `load_profile`.
        if os.environ.get(variable) and field.name not in _FROM_FILE_ONLY:
            origin = variable
        yield field.name, getattr(profile, field.name), origin


# No variable of the environment can say these.
_FROM_FILE_ONLY = ("name", "setup", "environment", "container", "sbatch")


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value)) or "–"
    if isinstance(value, dict):
        return " ".join(f"{key}={item}" for key, item in value.items()) or "–"
    return str(value)
