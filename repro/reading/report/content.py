"""What the report says, as plain values: the template only sets it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from repro import catalog
from repro.experiment import Experiment, Figure, Scale, Skipped, Table, at, groups_of
from repro.ledger import ledger
from repro.reading import figures, tables
from repro.reading.claims import Claimed, claimed
from repro.reading.frame import Collected
from repro.reading.inline import inline
from repro.reading.judged import COUNTS, Judged, judged
from repro.reading.report.provenance import RUN_COLUMNS, Group, anchors, groups_of_runs
from repro.reading.report.sheets import Grid, gap_grid, level_grid, table_grids
from repro.spec import Run

AGREE = ("reproduced", "consistent", "better")

WORDS = (
    ("reproduced", "Equal within the margin declared before any run, shown by two one-sided tests; or an equal count."),
    ("consistent", "Neither a difference nor its absence could be shown with these seeds."),
    ("better", "A difference is shown; our error is the lower one."),
    (
        "worse",
        "A difference is shown; our error is the higher one. A run that diverged counts as worse than any number.",
    ),
    ("deviates", "A count that is not the paper's."),
    ("not comparable", "Another data set, schedule, crop or scale: orderings can be judged, numbers cannot."),
    ("incomplete", "Some seeds have not finished."),
    ("missing", "Nothing has finished."),
    ("holds", "The claim is shown, at 5 % over all claims together."),
    ("fails", "The opposite of the claim is shown."),
    ("undecided", "Neither is shown; the evidence says why."),
    ("not checked", "Nothing here could decide it; the reason stands beside it."),
)


@dataclass(frozen=True)
class Section:
    """One table or figure of the paper."""

    name: str
    heading: str
    title: str
    page: int
    note: str = ""
    skipped: str = ""
    svg: Markup | str = ""
    wide: bool = False
    toggle: bool = False
    tables: tuple[Grid, ...] = ()
    more: tuple[Grid, ...] = ()  # folded away
    notes: tuple[str, ...] = ()
    claims: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Page:
    """Everything on the page, in its order."""

    title: str
    summary: tuple[str, ...]
    facts: tuple[dict[str, str], ...]
    tallies: tuple[dict[str, Any], ...]
    experiments: tuple[Section, ...]
    groups: tuple[Group, ...]
    departures: tuple[str, ...]
    problems: tuple[Any, ...]
    run_columns: tuple[dict[str, Any], ...] = RUN_COLUMNS
    words: tuple[dict[str, str], ...] = field(
        default_factory=lambda: tuple({"word": word, "meaning": meaning} for word, meaning in WORDS)
    )


def page(collected: Collected, scale: Scale) -> Page:
    """The report of every experiment at one scale."""
    declared = {name: catalog.load(name) for name in catalog.NAMES}
    scaled = {name: at(experiment, scale) for name, experiment in declared.items()}
    numbers = [one for name, experiment in scaled.items() for one in judged(name, experiment, collected)]
    claims = claimed(declared, scaled, collected)
    wanted = [group for experiment in scaled.values() for group in groups_of(experiment)]
    runs = [run for group in dict.fromkeys(wanted) for run in group]
    linked = anchors(wanted, collected)
    return Page(
        title="Deep Residual Learning, reproduced",
        summary=tuple(_summary(numbers, claims, runs, collected, scale)),
        facts=tuple(_facts(runs, collected, scale)),
        tallies=tuple(_tallies(numbers, claims)),
        experiments=tuple(_section(name, declared[name], claims, collected, scale, linked) for name in declared),
        groups=tuple(groups_of_runs(wanted, collected)),
        departures=tuple(_departures(runs)),
        problems=collected.problems,
    )


def _section(
    name: str, experiment: Experiment, claims: list[Claimed], collected: Collected, scale: Scale, linked: dict[str, str]
) -> Section:
    heading, title = tables.heading(name), experiment.title
    if isinstance(experiment, Skipped):
        return Section(name, heading, title, experiment.page, skipped=experiment.reason)
    own = tuple(_claim(one, linked) for one in claims if one.experiment == name)
    if isinstance(experiment, Table):
        sheet = tables.sheet(name, experiment, collected, scale)
        grids = table_grids(sheet, linked)
        return Section(name, heading, title, experiment.page, tables=grids, notes=sheet.notes, claims=own)
    return _figure(name, experiment, own, collected, scale, linked)


def _figure(
    name: str,
    figure: Figure,
    claims: tuple[dict[str, Any], ...],
    collected: Collected,
    scale: Scale,
    linked: dict[str, str],
) -> Section:
    drawing = figures.draw(figure, collected, scale)
    svg = inline(drawing, name, figure.title, figures.described(figure, collected, scale))
    scaled = at(figure, scale)
    levels, gaps = level_grid(name, scaled, collected, linked), gap_grid(name, scaled, collected, linked)
    curves = any(panel.shows == "curves" for panel in figure.panels)
    return Section(
        name,
        tables.heading(name),
        figure.title,
        figure.page,
        note=figure.note,
        svg=Markup(svg),  # written by matplotlib and escaped there: the one thing that enters as markup
        wide=drawing.get_figwidth() > 5,
        toggle=curves,
        tables=(levels,) if levels.rows else (),
        more=(gaps,) if gaps.rows else (),
        claims=claims,
    )


def _claim(one: Claimed, linked: dict[str, str]) -> dict[str, Any]:
    said = "; ".join(finding.said.removeprefix("not checked here: ") for finding in one.evidence)
    p = "" if one.p is None else f" (p {_p(one.p)}, over all claims)"
    behind = (run for finding in one.evidence for run in finding.runs)
    return {
        "id": one.claim.id,
        "text": one.claim.text,
        "where": one.claim.where,
        "verdict": one.word if one.checked else "not checked",
        "evidence": said + p,
        "runs": tuple({linked[run]: run.rpartition(".s")[0] for run in behind if run in linked}.items()),
    }


def _p(value: float) -> str:
    return f"= {value:.2g}" if value >= 0.001 else "below 0.001"


def _summary(
    numbers: list[Judged], claims: list[Claimed], runs: list[Run], collected: Collected, scale: Scale
) -> Iterable[str]:
    """The verdicts in plain words."""
    trained = [one for one in numbers if one.metric not in COUNTS]
    counted = [one for one in numbers if one.metric in COUNTS]
    words = Counter(one.verdict.word for one in trained)
    checked = [one for one in claims if one.checked]
    holds = Counter(one.word for one in checked)
    seen = len(trained) - words["missing"]
    if not seen:
        yield f"No number of the paper has been tried yet at scale {scale.name}: no run has finished."
    elif words["not comparable"] == seen:
        yield (
            f"{seen} of the paper's {len(trained)} numbers have a counterpart here, at scale {scale.name}: "
            "not comparable with the paper's, but their orderings are."
        )
    else:
        agree = sum(words[word] for word in AGREE)
        yield (
            f"{agree} of the paper's {len(trained)} numbers agree with ours ({_listed(words, AGREE)}){_rest(words)}."
        )
    yield (
        f"Of the paper's {len(checked)} claims that can be checked here, {holds['holds']} hold"
        f"{_listed(holds, ('fails', 'undecided', 'missing'), ', ')}. "
        f"{sum(one.verdict.word == 'reproduced' for one in counted)} of {len(counted)} counts of parameters and "
        "multiply-adds are the paper's."
    )


def _listed(words: Counter[str], wanted: Iterable[str], before: str = "") -> str:
    found = [f"{words[word]} {word}" for word in wanted if words[word]]
    return before + ", ".join(found) if found else "" if before else "none yet"


def _rest(words: Counter[str]) -> str:
    return _listed(words, ("worse", "not comparable", "incomplete", "missing"), "; ")


def _facts(runs: list[Run], collected: Collected, scale: Scale) -> Iterable[dict[str, str]]:
    states = Counter(collected.runs.loc[collected.runs["id"].isin([run.id for run in runs]), "state"])
    finals = collected.finals[collected.finals["id"].isin([run.id for run in runs])]
    yield {"what": "Scale", "value": f"{scale.name} ({scale.about})"}
    yield {"what": "Runs finished", "value": f"{states['done']} of {len(runs)}"}
    for state in ("unfinished", "failed", "diverged"):
        if states[state]:
            yield {"what": f"Runs {state}", "value": str(states[state])}
    for what, column in (("Code", "code"), ("PyTorch", "torch"), ("Device", "device"), ("Data", "data_hash")):
        known = sorted(map(str, finals[column].dropna().unique()))
        if known:
            yield {"what": what, "value": ", ".join(value[:24] for value in known)}
    if len(finals):
        yield {"what": "Hours of training", "value": f"{finals['seconds'].sum() / 3600:.1f}"}


def _tallies(numbers: list[Judged], claims: list[Claimed]) -> Iterable[dict[str, Any]]:
    order = [word for word, _ in WORDS]
    for title, words in (
        ("Errors", Counter(one.verdict.word for one in numbers if one.metric not in COUNTS)),
        ("Counts, without training", Counter(one.verdict.word for one in numbers if one.metric in COUNTS)),
        ("Claims", Counter(one.word for one in claims if one.checked)),
    ):
        known = sorted(words, key=order.index)
        yield {"title": title, "words": [{"word": word, "count": words[word]} for word in known]}


def _departures(runs: list[Run]) -> Iterable[str]:
    for departure, nets in ledger(runs).items():
        yield f"{departure} — {', '.join(nets)}"
