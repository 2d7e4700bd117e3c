"""How a run can be changed by name: a smaller scale, or another reading of the protocol."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from repro.definition.run import Run

LONGEST_NAME = 100  # characters of a file's name: settings may be longer than a disk allows


@dataclass(frozen=True)
class Scale:
    """A named way to run everything smaller. Its numbers are never compared with the paper's."""

    name: str
    about: str
    seeds: int | None  # at most so many of each run's seeds; None: as declared
    change: Callable[[Run], Run]
    chosen: tuple[str, ...] = ()  # the variants and settings that it was chosen with

    def __call__(self, run: Run) -> Run:
        return replace(self.change(run), scale=self.name)

    @property
    def note(self) -> str:
        """What else was chosen, in sentences."""
        left_out = [text.removeprefix("skip ") for text in self.chosen if text.startswith("skip ")]
        others = [text for text in self.chosen if not text.startswith("skip ")]
        sentences = []
        if others:
            sentences.append(f"With {', '.join(others)}.")
        if left_out:
            sentences.append(f"Without {', '.join(left_out)}.")
        return " ".join(sentences)

    def named(self, name: str) -> str:
        """Return a file's name with what else was chosen.

        So a variant's table never takes the place of the experiment's own.
        """
        parts = [name]
        for choice in self.chosen:
            plain = re.sub(r"[^A-Za-z0-9.]+", "-", choice.removeprefix("variant "))
            parts.append(plain.strip("-."))
        return "-".join(parts)[:LONGEST_NAME]


@dataclass(frozen=True)
class Variant:
    """A named other reading of the protocol. The recipe's name then carries the variant's."""

    name: str
    about: str  # one line: what differs, and who does it that way or why one would
    change: Callable[[Run], Run]
    # Why it moves no number on some machines. All other variants move one on every machine.
    no_change_because: str = ""

    def __call__(self, run: Run) -> Run:
        changed = self.change(run)
        name = f"{run.recipe.name}-{self.name}"
        return replace(changed, recipe=replace(changed.recipe, name=name))


@dataclass(frozen=True)
class Reading:
    """Where the paper is silent or can be read in two ways: what we do, and why."""

    what: str
    ours: str
    why: str


def with_variants(run: Run, variants: Iterable[Variant], scale: Scale) -> Run:
    """Return the run in these readings, changed as the scale does.

    A variant that changes nothing at this scale leaves the run its name, and so its id: equal
    training is one run.
    """
    for variant in variants:
        read = variant(run)
        with_old_name = replace(read, recipe=replace(read.recipe, name=run.recipe.name))
        if scale.change(with_old_name) != scale.change(run):
            run = read
    return scale.change(run)
