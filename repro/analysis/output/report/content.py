"""What the report says, as plain values: the template only sets it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from markupsafe import Markup

from repro.analysis.compare.claims import JudgedClaim
from repro.analysis.compare.judged_numbers import JudgedNumber
from repro.analysis.compare.measured_weights import MeasuredNumber, in_words
from repro.analysis.compare.number_text import p_text
from repro.analysis.compare.paper_diff import Diff, compare
from repro.analysis.figures import architecture, curve_figures
from repro.analysis.output import tables
from repro.analysis.output.diff_words import evidence_text, summary
from repro.analysis.output.inline_svg import inline_svg
from repro.analysis.output.plain_words import depth_in_words
from repro.analysis.output.report.provenance import (
    RUN_COLUMNS,
    Group,
    anchors,
    groups_of_runs,
    run_facts,
)
from repro.analysis.output.report.report_words import WORDS, title_of
from repro.analysis.output.report.sheets import Grid, gap_grid, level_grid, table_grids
from repro.analysis.runs.run_frames import Collected
from repro.definition.experiment import Drawing, Figure, Skipped, Table, at_scale, groups_of
from repro.definition.scales_and_variants import Scale
from repro.definition.verdicts_and_states import ClaimVerdict
from repro.protocol import catalog
from repro.protocol.deviations import departure_lines

LEAD = "figure6"  # the figure that stands first: what depth does to both kinds of net
WIDE = 5.0  # inches: a wider figure has a narrow form for small screens


@dataclass(frozen=True)
class Picture:
    """A figure as SVG; `narrow` has its panels one under the other."""

    svg: Markup
    narrow: Markup | None = None
    toggle: bool = False  # whether training lines can be hidden


@dataclass(frozen=True)
class Section:
    """One table or figure of the paper."""

    name: str
    heading: str
    title: str
    page: int
    opened: bool  # whether there is a result of ours to be read at once
    numbers: tuple[tuple[str, int], ...]  # verdicts with how often they were given
    claim_counts: tuple[tuple[str, int], ...]
    note: str = ""
    picture: Picture | None = None
    tables: tuple[Grid, ...] = ()
    more: tuple[Grid, ...] = ()  # folded away
    notes: tuple[str, ...] = ()
    claims: tuple[dict[str, Any], ...] = ()
    waiting: tuple[str, ...] = ()  # claims that no run can decide yet
    unchecked: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Page:
    """Everything on the page, in its order."""

    title: str
    lede: tuple[str, ...]
    lead: Section
    sections: tuple[Section, ...]
    summary: str
    skipped: tuple[dict[str, str], ...]
    departures: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]
    problems: tuple[Any, ...]
    measured: tuple[dict[str, str], ...] = ()  # numbers of released weights
    run_columns: tuple[dict[str, Any], ...] = RUN_COLUMNS
    words: tuple[tuple[str, str], ...] = tuple(WORDS.items())


@dataclass(frozen=True)
class Material:
    """What the sections are made from."""

    collected: Collected
    scale: Scale
    diff: Diff
    linked: dict[str, str]  # the anchor of each run

    def numbers(self, name: str) -> list[JudgedNumber]:
        return [row for row in self.diff.rows if row.experiment == name]

    def claims(self, name: str) -> list[JudgedClaim]:
        return [claim for claim in self.diff.claims if claim.experiment == name]


def page(collected: Collected, scale: Scale) -> Page:
    """Return the report of every experiment at one scale."""
    declared = {name: catalog.load_experiment(name) for name in catalog.NAMES}
    scaled = {name: at_scale(experiment, scale) for name, experiment in declared.items()}
    diff = compare(declared, scaled, collected, scale.name)
    groups = [group for experiment in scaled.values() for group in groups_of(experiment)]
    runs = list(dict.fromkeys(run for group in groups for run in group))
    material = Material(collected, scale, diff, anchors(groups, collected))
    sections, skipped = [], []
    for name, experiment in declared.items():
        if isinstance(experiment, Skipped):
            reason = {"title": experiment.title, "reason": experiment.reason}
            skipped.append({"heading": tables.heading(name)} | reason)
        else:
            sections.append(_section(name, experiment, material))
    return Page(
        title=title_of(diff),
        lede=_lede(diff, collected, scale),
        lead=next(section for section in sections if section.name == LEAD),
        sections=tuple(sections),
        summary=summary(diff),
        skipped=tuple(skipped),
        departures=tuple(departure_lines(diff.ledger)),
        facts=tuple(run_facts(runs, collected)),
        groups=tuple(groups_of_runs(groups, collected)),
        problems=collected.problems,
        measured=tuple(map(_measured, diff.measured)),
    )


def _measured(number: MeasuredNumber) -> dict[str, str]:
    return {
        "word": str(number.word),
        "text": f"{tables.heading(number.experiment)}, {number.row}, {tables.named(number.metric)}",
        "weights": number.weights,
        "said": in_words(number),
        "record": number.evaluation,
    }


def _lede(diff: Diff, collected: Collected, scale: Scale) -> tuple[str, ...]:
    """Return two plain sentences: how far this is, and what came out."""
    done = diff.asked - len(diff.lacking)
    far = f"{done} of {diff.asked} training runs have finished at scale {scale.name}"
    if scale.name == "paper":
        far += ", the paper's own."
    else:
        far += f" ({scale.about})."
    return far, depth_in_words(collected, scale) or "No plain and residual nets to compare yet."


def _section(name: str, experiment: Table | Figure | Drawing, material: Material) -> Section:
    numbers, claims = material.numbers(name), material.claims(name)
    checked = [claim for claim in claims if claim.checked]
    waiting = [claim.claim.id for claim in checked if claim.word == ClaimVerdict.MISSING]
    decided = [claim for claim in checked if claim.word != ClaimVerdict.MISSING]
    unchecked = [claim for claim in claims if not claim.checked]
    item = partial(_claim, linked=material.linked)
    return Section(
        name=name,
        heading=tables.heading(name),
        title=experiment.title,
        page=experiment.page,
        opened=_has_result(numbers, decided),
        numbers=_counts(row.verdict.word for row in numbers),
        claim_counts=_counts(claim.word for claim in checked),
        note=experiment.note,
        claims=tuple(map(item, decided)),
        waiting=tuple(waiting),
        unchecked=tuple(map(item, unchecked)),
        **_parts(name, experiment, material),
    )


def _has_result(numbers: list[JudgedNumber], decided: list[JudgedClaim]) -> bool:
    """Return whether a number or a verdict stands on runs of ours."""
    findings = [finding for claim in decided for finding in claim.evidence]
    trained = [row for row in numbers if row.n and row.paper.kind != "exact"]
    return bool(trained) or any(finding.runs for finding in findings)


def _counts(verdicts: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Return how often each verdict was given, in the order of their explanation."""
    counts = Counter(map(str, verdicts))
    return tuple((word, counts[word]) for word in WORDS if counts[word])


def _parts(name: str, experiment: Table | Figure | Drawing, material: Material) -> dict[str, Any]:
    match experiment:
        case Table():
            return _table(name, experiment, material)
        case Figure():
            return _figure(name, experiment, material)
        case Drawing():
            text = architecture.described(experiment)
            drawing = architecture.draw(experiment)
            svg = Markup(inline_svg(drawing, name, experiment.title, text))
            return {"picture": Picture(svg)}


def _table(name: str, table: Table, material: Material) -> dict[str, Any]:
    sheet = tables.sheet(name, table, material.collected, material.scale)
    # Departures are told once, for all tables.
    notes = sheet.notes[: len(sheet.notes) - sheet.departures]
    return {"tables": table_grids(sheet, material.linked), "notes": notes}


def _figure(name: str, figure: Figure, material: Material) -> dict[str, Any]:
    scaled = at_scale(figure, material.scale)
    levels = level_grid(name, scaled, material.collected, material.linked)
    gaps = gap_grid(name, scaled, material.collected, material.linked)
    return {
        "picture": _picture(name, figure, material),
        "tables": (levels,) if levels.rows else (),
        "more": (gaps,) if gaps.rows else (),
    }


def _picture(name: str, figure: Figure, material: Material) -> Picture:
    collected, scale = material.collected, material.scale
    drawing = curve_figures.draw(figure, collected, scale)
    text = curve_figures.described(figure, collected, scale)
    narrow = None
    if drawing.get_figwidth() > WIDE:
        stacked = curve_figures.draw(figure, collected, scale, narrow=True)
        narrow = Markup(inline_svg(stacked, f"{name}-narrow", figure.title, text))
    curves = [panel for panel in figure.panels if panel.shows == "curves"]
    toggle = any(len(panel.splits) == 2 for panel in curves)
    # Escaped by its writer; all else is escaped by the template.
    svg = Markup(inline_svg(drawing, name, figure.title, text))
    return Picture(svg, narrow, toggle)


def _claim(judged: JudgedClaim, linked: dict[str, str]) -> dict[str, Any]:
    evidence = [evidence_text(finding) for finding in judged.evidence]
    runs = [run for finding in judged.evidence for run in finding.runs if run in linked]
    return {
        "id": judged.claim.id,
        "text": judged.claim.text,
        "where": judged.claim.where,
        "verdict": str(judged.word),
        "p": "" if judged.p is None else f"p = {p_text(judged.p)}",
        "evidence": [text.removeprefix("not checked here: ") for text in evidence],
        "runs": tuple(dict.fromkeys((linked[run], run.rpartition(".s")[0]) for run in runs)),
    }
