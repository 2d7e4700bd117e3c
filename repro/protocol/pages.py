"""One page of the paper by its name, or those that a selection is of: tables, or figures.

A mistake says what the name is instead.
"""

from __future__ import annotations

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
        """Raise an error if a word names one page, and that is none of this kind."""
        for name in selection.plain_names:
            experiment = catalog.load_experiment(name)
            refuse_skipped(name, experiment)
            if not isinstance(experiment, self.kinds):
                problem = f"{quote(name)} is not a {self.word}"
                raise UserError(problem, f"{self.otherwise} {name}`")

    def names(self, selection: Selection) -> tuple[str, ...]:
        """Return the names of the selected pages of this kind."""
        self.check(selection)
        names = []
        for name, page in selection.declared().items():
            if isinstance(page, self.kinds):
                names.append(name)
        if not names:
            words = " ".join(selection.experiments)
            hint = f"name one of {', '.join(self._all())}"
            raise UserError(f"{quote(words)} is of no {self.word}", hint)
        return tuple(names)

    def only_one(self, selection: Selection) -> Selection:
        """Return the selection of the one page that is selected."""
        names = self.names(selection)
        if len(names) > 1:
            words = " ".join(selection.experiments)
            problem = f"{quote(words)} is {len(names)} {self.word}s"
            raise UserError(problem, f"{self.verb} one of {', '.join(names)}")
        return selection.on_page(names[0])

    def _all(self) -> list[str]:
        return [
            name
            for name in catalog.REPRODUCED
            if isinstance(catalog.load_experiment(name), self.kinds)
        ]


TABLES = PageKind("table", "print", (Table,), "draw it with `repro figure")
FIGURES = PageKind("figure", "draw", (Figure, Drawing), "print it with `repro table")


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
