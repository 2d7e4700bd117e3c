"""What a user selects: experiments or runs, at a scale, with seeds and changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TypedDict, Unpack

from repro.definition.experiment import (
    Experiment,
    at_scale,
    runs_of,
)
from repro.definition.run import Run
from repro.definition.scales_and_variants import Scale, with_variants
from repro.errors import UserError, did_you_mean, quote
from repro.protocol import catalog
from repro.protocol.narrowed_experiment import narrow
from repro.protocol.selected_pages import refuse_skipped

_PATTERN = re.compile(r"[A-Za-z0-9._*?\[\]-]{1,200}")
_WILDCARDS = frozenset("*?[")


class SelectionOptions(TypedDict, total=False):
    """What may be said about a selection beside the names of its experiments."""

    scale: str | None
    seeds: int | None
    variants: Sequence[str]
    settings: Sequence[str]
    only: Sequence[str]
    skip: Sequence[str]


@dataclass(frozen=True)
class Selection:
    """Experiments, groups or patterns of run ids, and what is chosen beside them.

    `!PATTERN` leaves runs out.
    """

    experiments: tuple[str, ...] = ()
    # None: the most serious scale that has results, which a reader looks up.
    scale: str | None = "paper"
    seeds: int | None = None  # None: as many as the scale declares
    variants: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()  # KEY=VALUE
    only: tuple[
        str, ...
    ] = ()  # runs whose id contains one of these, or matches it where it has * ? or [
    skip: tuple[str, ...] = ()
    page: str | None = None  # of what these words select, only this experiment

    @property
    def changed(self) -> bool:
        """Whether anything but the declared protocol is selected."""
        return bool(self.variants or self.settings)

    @property
    def partial(self) -> bool:
        """Whether some runs of the named experiments may be left out."""
        unnamed = [word for word in self.experiments if not _is_name(word)]
        return bool(self.only or self.skip or unnamed)

    def at(self, scale: str) -> Selection:
        """Return the same selection at another scale."""
        return replace(self, scale=scale)

    def whole(self, *experiments: str) -> Selection:
        """Return whole experiments, with the same scale, seeds and changes."""
        return replace(self, experiments=experiments, only=(), skip=(), page=None)

    @property
    def plain_names(self) -> tuple[str, ...]:
        """The words that name one experiment: no group, no pattern, nothing to leave out."""
        words = [word for word in self.experiments if not word.startswith("!")]
        return tuple(w for w in words if w not in catalog.GROUPS and not _is_pattern(w))

    def on_page(self, name: str) -> Selection:
        """Return what is selected of one experiment."""
        if name not in self._named():
            return replace(self, page=name)
        without = tuple(word for word in self.experiments if word.startswith("!"))
        return replace(self, experiments=(name, *without))

    def chosen_scale(self) -> Scale:
        """Return the scale, with the variants and settings chosen beside it."""
        return self._with_choices(catalog.load_scale(self.scale or "paper"))

    def all_scales(self) -> dict[str, Scale]:
        """Return every scale, with the variants and settings chosen beside it."""
        return {name: self._with_choices(scale) for name, scale in catalog.all_scales().items()}

    def declared(self) -> dict[str, Experiment]:
        """Return the selected experiments as the paper has them."""
        return {name: declared for name, (declared, _) in self._pairs().items()}

    def experiments_at_scale(self) -> dict[str, Experiment]:
        """Return the selected experiments with the runs that are to be trained or shown."""
        return {name: scaled for name, (_, scaled) in self._pairs().items()}

    def runs_by_experiment(self) -> dict[str, tuple[Run, ...]]:
        """Return the selected runs of each experiment; several experiments may share a run."""
        selects = self._selects
        runs = {}
        for name, experiment in self.experiments_at_scale().items():
            runs[name] = tuple(run for run in runs_of(experiment) if selects(name, run))
        return runs

    def runs(self) -> tuple[Run, ...]:
        """Return the selected runs, each once: all first seeds, then all second ones."""
        by_experiment = self.runs_by_experiment()
        selected = {run for runs in by_experiment.values() for run in runs}
        ordered = runs_of(tuple(self.experiments_at_scale().values()))
        return tuple(run for run in ordered if run in selected)

    def reproduced(self) -> Selection:
        """Return the selection, if all its experiments are reproduced here."""
        for name in self._named():
            refuse_skipped(name, catalog.load_experiment(name))
        return self

    def words(self) -> tuple[str, ...]:
        """Return the command-line options that select the same, without names and scale."""
        words: list[str] = []
        if self.seeds:
            words += ["--seeds", str(self.seeds)]
        for option in ("variant", "set", "only", "skip"):
            for value in getattr(self, _FIELDS[option]):
                words += [f"--{option}", value]
        return tuple(words)

    def _with_choices(self, scale: Scale) -> Scale:
        """Return the scale with the choices: variants come first, then the scale, then settings."""
        variants = [catalog.load_variant(name) for name in self.variants]

        def change(run: Run) -> Run:
            varied = with_variants(run, variants, scale)
            if not self.settings:
                return varied
            from repro.definition.overrides import with_overrides

            return with_overrides(varied, self.settings)

        chosen = [f"variant {name}" for name in self.variants]
        chosen += self.settings
        # A part is named as well, so that nothing takes the place of the whole table or figure.
        only = self.only if self._named() else (*self._patterns(), *self.only)
        chosen += [f"only {text}" for text in only]
        chosen += [f"skip {text}" for text in (*self._unwanted(), *self.skip)]
        return replace(scale, change=change, chosen=tuple(chosen))

    def _named(self) -> tuple[str, ...]:
        """Return the experiments that are named, groups and patterns of names resolved."""
        names: list[str] = []
        for word in self.experiments:
            if not word.startswith("!") and not _is_pattern(word):
                names += catalog.expand_groups([word])
            elif not word.startswith("!"):
                names += [name for name in catalog.REPRODUCED if fnmatchcase(name, word)]
        return tuple(dict.fromkeys(names))

    def _patterns(self) -> tuple[str, ...]:
        """Return the patterns of run ids among the words: those that match no experiment's name."""
        words = [word for word in self.experiments if _is_pattern(word)]
        return tuple(word for word in words if not _matches_a_name(word))

    def _unwanted(self) -> tuple[str, ...]:
        return tuple(word[1:] for word in self.experiments if word.startswith("!"))

    def searched(self) -> tuple[str, ...]:
        """Return the experiments whose runs come into question."""
        if self.page is not None:
            return (self.page,)
        named = self._named()
        only_unwanted = all(word.startswith("!") for word in self.experiments)
        if self._patterns() or (self.experiments and only_unwanted):
            return tuple(dict.fromkeys((*named, *catalog.REPRODUCED)))
        return named

    def _pairs(self) -> dict[str, tuple[Experiment, Experiment]]:
        """Return each selected experiment twice: as declared, and at the scale."""
        scale = self.chosen_scale()
        pairs = {}
        for name in self.searched():
            declared = catalog.load_experiment(name)
            pairs[name] = declared, at_scale(declared, scale, self.seeds)
        return self._narrowed(pairs) if self.partial else pairs

    def _narrowed(
        self, pairs: Mapping[str, tuple[Experiment, Experiment]]
    ) -> dict[str, tuple[Experiment, Experiment]]:
        """Return the experiments with selected runs, without the rows that have none."""
        selects = self._selects
        narrowed = {}
        some_have_runs = False
        for name, (declared, scaled) in pairs.items():
            runs = runs_of(scaled)
            kept = {run for run in runs if selects(name, run)}
            some_have_runs = some_have_runs or bool(runs)
            if kept:
                both = (narrow(declared, scaled, kept), narrow(scaled, scaled, kept))
                narrowed[name] = both
            elif not runs and name in self._named():
                narrowed[name] = (declared, scaled)  # it is counted, and has no part to take
        if some_have_runs and not any(runs_of(scaled) for _, scaled in narrowed.values()):
            raise self._nothing(pairs)
        return narrowed

    @property
    def _selects(self) -> Callable[[str, Run], bool]:
        """Return whether an experiment's run is selected."""
        named, patterns = self._named(), self._patterns()
        unwanted = [self._matcher(word) for word in self._unwanted()]
        every = not named and not patterns  # nothing but `!PATTERN`

        def selects(name: str, run: Run) -> bool:
            run_id = run.id
            wanted = every or name in named
            if not wanted and not any(fnmatchcase(run_id, pattern) for pattern in patterns):
                return False
            if self.only and not any(contains(run_id, text) for text in self.only):
                return False
            if any(contains(run_id, text) for text in self.skip):
                return False
            return not any(matches(run_id) for matches in unwanted)

        return selects

    def _matcher(self, word: str) -> Callable[[str], bool]:
        """Return whether an id is of what follows `!`: an experiment, a group, or a pattern."""
        if _is_pattern(word):
            return lambda run_id: fnmatchcase(run_id, word)
        same = replace(self, experiments=(word,), only=(), skip=())
        ids = {run.id for run in same.runs()}
        return lambda run_id: run_id in ids

    def _nothing(self, pairs: Mapping[str, tuple[Experiment, Experiment]]) -> UserError:
        """Say that no run is left."""
        conditions = []
        if self.only:
            conditions.append(f"contains {' or '.join(map(quote, self.only))}")
        if self.skip:
            conditions.append(f"is without {' and '.join(map(quote, self.skip))}")
        listed = "`repro show EXPERIMENT` lists the ids"
        if conditions:
            return UserError(f"no run's id {' and '.join(conditions)}", listed)
        experiments = tuple(scaled for _, scaled in pairs.values())
        ids = [run.id for run in runs_of(experiments)]
        words = " ".join(self.experiments)
        known = (*ids, *catalog.NAMES, *catalog.GROUPS)
        problem = f"no run at scale {self.scale} matches {quote(words)}"
        return UserError(problem, did_you_mean(words, known, listed))


_FIELDS = {"variant": "variants", "set": "settings", "only": "only", "skip": "skip"}


def select(*experiments: str | Selection, **options: Unpack[SelectionOptions]) -> Selection:
    """Return a selection from names and options; a Selection among the names is the start."""
    names: list[str] = []
    start = Selection()
    for item in experiments:
        if isinstance(item, Selection):
            start = item
            names += item.experiments
        else:
            names.append(item)
    changes: dict[str, object] = {"experiments": tuple(names)}
    for name, value in options.items():
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        changes[name] = tuple(value) if is_list else value  # type: ignore[arg-type]
    return replace(start, **changes)  # type: ignore[arg-type]


def contains(run_id: str, text: str) -> bool:
    """Return whether a run's id contains the text, or matches it where it has wildcards."""
    if _WILDCARDS.isdisjoint(text):
        return text in run_id
    return fnmatchcase(run_id, text)


def _is_name(word: str) -> bool:
    return word in catalog.NAMES or word in catalog.GROUPS


def _is_pattern(word: str) -> bool:
    """Return whether a word is a pattern of names or run ids, or a whole run id."""
    looks_so = "." in word or not _WILDCARDS.isdisjoint(word)
    return looks_so and _PATTERN.fullmatch(word) is not None


def _matches_a_name(pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in catalog.REPRODUCED)
