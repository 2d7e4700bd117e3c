"""One page of the paper by its name, or those that a selection is of: tables, or figures.

A mistake says what the name is instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repro.definition.experiment import Drawing, Experiment, Figure, Skipped, Table
from repro.errors import UserError, quote
from repro.protocol import catalog

if TYPE_CHECKING:
    from repro.protocol.selection import Selection


@dataclass(frozen=True)
class PageKind:
    """What one command shows: tables, or figures."""

    word: str
    verb: str
    kinds: tuple[type[Experiment], ...]
    otherwise: str  # what to do with a page that is of another kind

    def check(self, selection: Selection) -> None:
        """Raise an error if a word names a page of another kind, or if none is of this one."""
        for name in selection.plain_names:
            experiment = catalog.load_experiment(name)
            refuse_skipped(name, experiment)
            if not isinstance(experiment, self.kinds):
                problem = f"{quote(name)} is not a {self.word}"
                raise UserError(problem, f"{self.otherwise} {name}`")
        self._keep(selection, selection.searched())

    def names(self, selection: Selection) -> tuple[str, ...]:
        """Return the names of the selected pages of this kind."""
        self.check(selection)
        return self._keep(selection, selection.declared())

    def _keep(self, selection: Selection, names: Iterable[str]) -> tuple[str, ...]:
        """Return the names of pages of this kind, of which there must be one."""
        kept = self._of_this_kind(names)
        if not kept:
            words = " ".join(selection.experiments)
            known = ", ".join(self._of_this_kind(catalog.REPRODUCED))
            raise UserError(f"{quote(words)} selects no {self.word}", f"name one of {known}")
        return kept

    def _of_this_kind(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(
            name for name in names if isinstance(catalog.load_experiment(name), self.kinds)
        )

    def only_one(self, selection: Selection) -> Selection:
        """Return the selection of the one page that is selected."""
        names = self.names(selection)
        if len(names) > 1:
            words = " ".join(selection.experiments)
            problem = f"{quote(words)} is {len(names)} {self.word}s"
            raise UserError(problem, f"{self.verb} one of {', '.join(names)}")
        return selection.on_page(names[0])


TABLES = PageKind("table", "print", (Table,), "draw it with `repro figure")
FIGURES = PageKind("figure", "draw", (Figure, Drawing), "print it with `repro table")


def refuse_empty(selection: Selection) -> None:
    """Raise an error if the words select no run at the scale; where none is named, at any scale."""
    if not selection.partial:
        return
    problems = []
    scales = [selection.scale] if selection.scale else list(catalog.all_scales())
    for scale in scales:
        try:
            selection.at(scale).declared()
            return
        except UserError as problem:
            problems.append(problem)
    raise problems[0]


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
