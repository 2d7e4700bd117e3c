"""What the report says, as plain values: the template only sets it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from repro.analysis.compare.claims import JudgedClaim
from repro.analysis.compare.diff import Diff, compare
from repro.analysis.compare.measured_weights import MeasuredNumber, in_words
from repro.analysis.compare.numbers import COUNTS
from repro.analysis.figures import architecture, curve_figures
from repro.analysis.output import tables
from repro.analysis.output.diff_text import departure_text, p_value, summary
from repro.analysis.output.report.provenance import RUN_COLUMNS, Group, anchors, groups_of_runs
from repro.analysis.output.report.sheets import Grid, gap_grid, level_grid, table_grids
from repro.analysis.output.svg import inline_svg
from repro.analysis.runs.frames import Collected
from repro.definition.experiment import Drawing, Figure, Skipped, Table, at_scale, groups_of
from repro.definition.run import Run
from repro.definition.scales import Scale
from repro.protocol import catalog

WORDS = (
    (
        "reproduced",
        "Equal within the margin declared before any run, shown by two one-sided tests; or an equal count.",
    ),
    ("consistent", "Neither a difference nor its absence could be shown with these seeds."),
    ("better", "A difference is shown; our error is the lower one."),
    (
        "worse",
        "A difference is shown; our error is the higher one. A run that diverged counts as worse than any number.",
    ),
    ("deviates", "A count that is not the paper's."),
    (
        "not comparable",
        "Another data set, schedule, crop or scale: orderings can be judged, numbers cannot.",
    ),
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
    summary: str
    facts: tuple[dict[str, str], ...]
    tallies: tuple[dict[str, Any], ...]
    judged: tuple[dict[str, str], ...]
    experiments: tuple[Section, ...]
    skipped: tuple[dict[str, str], ...]
    groups: tuple[Group, ...]
    departures: tuple[str, ...]
    problems: tuple[Any, ...]
    measured: tuple[dict[str, str], ...] = ()  # numbers of released weights
    run_columns: tuple[dict[str, Any], ...] = RUN_COLUMNS
    words: tuple[dict[str, str], ...] = field(
        default_factory=lambda: tuple({"word": word, "meaning": meaning} for word, meaning in WORDS)
    )


@dataclass(frozen=True)
class Material:
    """What the sections are made from."""

    collected: Collected
    scale: Scale
    claims: tuple[JudgedClaim, ...]
    linked: dict[str, str]  # the anchor of each run


def page(collected: Collected, scale: Scale) -> Page:
    """The report of every experiment at one scale."""
    declared = {name: catalog.load_experiment(name) for name in catalog.NAMES}
    scaled = {name: at_scale(experiment, scale) for name, experiment in declared.items()}
    diff = compare(declared, scaled, collected, scale.name)
    groups = [group for experiment in scaled.values() for group in groups_of(experiment)]
    runs = list(dict.fromkeys(run for group in groups for run in group))
    material = Material(collected, scale, diff.claims, anchors(groups, collected))
    shown = {name: one for name, one in declared.items() if not isinstance(one, Skipped)}
    skipped = {name: one for name, one in declared.items() if isinstance(one, Skipped)}
    return Page(
        title="Deep Residual Learning, reproduced",
        summary=summary(diff),
        facts=tuple(_facts(runs, collected, scale)),
        tallies=tuple(_tallies(diff)),
        judged=tuple(_judged(diff)),
        experiments=tuple(
            _section(name, experiment, material) for name, experiment in shown.items()
        ),
        skipped=tuple(
            {"heading": tables.heading(name), "title": one.title, "reason": one.reason}
            for name, one in skipped.items()
        ),
        groups=tuple(groups_of_runs(groups, collected)),
        departures=tuple(departure_text(diff)),
        problems=collected.problems,
        measured=tuple(_measured(number) for number in diff.measured),
    )


def _measured(number: MeasuredNumber) -> dict[str, str]:
    return {
        "word": str(number.against_paper),
        "text": f"{tables.heading(number.experiment)}, {number.row}, {tables.named(number.metric)}",
        "weights": number.weights,
        "said": in_words(number),
        "record": number.evaluation,
    }


def _judged(diff: Diff) -> Iterator[dict[str, str]]:
    """The claims that there is something to say about, the decided ones first."""
    order = ("holds", "fails", "undecided")
    known = [one for one in diff.claims if one.checked and one.word in order]
    for one in sorted(known, key=lambda one: order.index(one.word)):
        p = "" if one.p is None else f"p = {p_value(one.p)}"
        yield {
            "word": one.word,
            "text": one.claim.text,
            "p": p,
            "id": one.claim.id,
            "href": one.experiment,
        }


def _section(name: str, experiment: Table | Figure | Drawing, material: Material) -> Section:
    return Section(
        name=name,
        heading=tables.heading(name),
        title=experiment.title,
        page=experiment.page,
        note=experiment.note,
        claims=tuple(
            _claim(one, material.linked) for one in material.claims if one.experiment == name
        ),
        **_parts(name, experiment, material),
    )


def _parts(name: str, experiment: Table | Figure | Drawing, material: Material) -> dict[str, Any]:
    match experiment:
        case Table():
            return _table(name, experiment, material)
        case Figure():
            return _figure(name, experiment, material)
        case Drawing():
            return _drawing(name, experiment)


def _table(name: str, table: Table, material: Material) -> dict[str, Any]:
    sheet = tables.sheet(name, table, material.collected, material.scale)
    return {"tables": table_grids(sheet, material.linked), "notes": sheet.notes}


def _figure(name: str, figure: Figure, material: Material) -> dict[str, Any]:
    collected, scaled = material.collected, at_scale(figure, material.scale)
    drawing = curve_figures.draw(figure, collected, material.scale)
    said = curve_figures.described(figure, collected, material.scale)
    levels = level_grid(name, scaled, collected, material.linked)
    gaps = gap_grid(name, scaled, collected, material.linked)
    return {
        "svg": Markup(
            inline_svg(drawing, name, figure.title, said)
        ),  # escaped by its writer; all else is escaped here
        "wide": drawing.get_figwidth() > 5,
        "toggle": any(
            {"train", "test"} <= {*panel.splits}
            for panel in figure.panels
            if panel.shows == "curves"
        ),
        "tables": (levels,) if levels.rows else (),
        "more": (gaps,) if gaps.rows else (),
    }


def _drawing(name: str, drawing: Drawing) -> dict[str, Any]:
    said = architecture.described(drawing)
    return {"svg": Markup(inline_svg(architecture.draw(drawing), name, drawing.title, said))}


def _claim(one: JudgedClaim, linked: dict[str, str]) -> dict[str, Any]:
    said = "; ".join(finding.said.removeprefix("not checked here: ") for finding in one.evidence)
    p = "" if one.p is None else f" (p {_p(one.p)}, over all claims)"
    behind = (run for finding in one.evidence for run in finding.runs)
    return {
        "id": one.claim.id,
        "text": one.claim.text,
        "where": one.claim.where,
        "verdict": one.word if one.checked else "not checked",
        "evidence": said + p,
        "runs": tuple(
            {linked[run]: run.rpartition(".s")[0] for run in behind if run in linked}.items()
        ),
    }


def _p(value: float) -> str:
    return f"= {value:.2g}" if value >= 0.001 else "below 0.001"


def _facts(runs: list[Run], collected: Collected, scale: Scale) -> Iterable[dict[str, str]]:
    states = Counter(
        collected.runs.loc[collected.runs["id"].isin([run.id for run in runs]), "state"]
    )
    finals = collected.finals[collected.finals["id"].isin([run.id for run in runs])]
    yield {"what": "Scale", "value": f"{scale.name} ({scale.about})"}
    yield {"what": "Runs finished", "value": f"{states['done']} of {len(runs)}"}
    for state in ("unfinished", "failed", "diverged"):
        if states[state]:
            yield {"what": f"Runs {state}", "value": str(states[state])}
    for what, column in (
        ("Code", "code"),
        ("PyTorch", "torch"),
        ("Device", "device"),
        ("Data", "data_hash"),
    ):
        known = sorted(map(str, finals[column].dropna().unique()))
        if known:
            yield {"what": what, "value": ", ".join(value[:24] for value in known)}
    if len(finals):
        yield {"what": "Hours of training", "value": f"{finals['seconds'].sum() / 3600:.1f}"}


def _tallies(diff: Diff) -> Iterable[dict[str, Any]]:
    """How often each word fell."""
    order = [word for word, _ in WORDS]
    for title, words in (
        ("Errors", Counter(one.verdict.word for one in diff.rows if one.metric not in COUNTS)),
        (
            "Counts, without training",
            Counter(one.verdict.word for one in diff.rows if one.metric in COUNTS),
        ),
        ("Claims", Counter(one.word for one in diff.claims if one.checked)),
    ):
        known = sorted(words, key=order.index)
        yield {"title": title, "words": [{"word": word, "count": words[word]} for word in known]}
