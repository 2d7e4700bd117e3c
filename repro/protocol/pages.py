"""One page of the paper by its name, or a mistake that says what the name is instead."""

from __future__ import annotations

from repro.definition.experiment import Drawing, Experiment, Figure, Skipped, Table
from repro.errors import UserError, quote
from repro.protocol import catalog


def table_page(name: str) -> Table:
    """Return the table of that name, if it is one that is reproduced."""
    experiment = catalog.load_experiment(refuse_group(name, "print", Table))
    refuse_skipped(name, experiment)
    if not isinstance(experiment, Table):
        raise UserError(f"{quote(name)} is not a table", f"draw it with `repro figure {name}`")
    return experiment


def figure_page(name: str) -> Figure | Drawing:
    """Return the figure of that name, if it is one that is reproduced."""
    experiment = catalog.load_experiment(refuse_group(name, "draw", Figure, Drawing))
    refuse_skipped(name, experiment)
    if not isinstance(experiment, Figure | Drawing):
        raise UserError(f"{quote(name)} is not a figure", f"print it with `repro table {name}`")
    return experiment


def refuse_skipped(name: str, experiment: Experiment) -> None:
    """Raise an error if the experiment is one that is not reproduced here."""
    if isinstance(experiment, Skipped):
        problem = f"{quote(name)} is not reproduced here: {experiment.reason}"
        raise UserError(problem, "`repro list` shows what is")


def refuse_group(name: str, verb: str, *kinds: type[Experiment]) -> str:
    """Return the name, if it is no group: what shows one page shows one at a time."""
    if name not in catalog.GROUPS:
        return name
    members = []
    for member in catalog.GROUPS[name]:
        if isinstance(catalog.load_experiment(member), kinds):
            members.append(member)
    raise UserError(f"{quote(name)} is a group", f"{verb} one of {', '.join(members)}")
