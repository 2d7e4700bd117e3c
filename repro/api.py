"""The way in from Python: what the commands do, as functions. `import repro` has them all.

    import repro

    repro.run("table6", scale="smoke", seeds=1)
    repro.compare("table6", scale="smoke").rows

Experiments are named as on the command line, or a `Selection` says all of it at once. Each
function imports what it needs when it is called, so that `import repro` costs little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from repro.analysis.output.page_results import FigureResult as FigureResult
from repro.analysis.output.page_results import TableResult as TableResult
from repro.analysis.runs.selected_runs import at_best_scale, has_points, part, restrict
from repro.definition.experiment import Drawing, Experiment, Figure, Table, at_scale, runs_of
from repro.errors import UserError, quote
from repro.protocol import catalog
from repro.protocol.selected_pages import FIGURES, TABLES, PageKind
from repro.protocol.selection import Selection, SelectionOptions, select
from repro.storage.paths import places

if TYPE_CHECKING:
    from repro.analysis.compare.paper_diff import Diff
    from repro.analysis.export.export_folder import Exported
    from repro.analysis.runs.run_frames import Collected
    from repro.cluster.status.run_states import State
    from repro.cluster.submit.submission import Sent
    from repro.local.run import LocalResult, Watcher

FigureFormat = Literal["svg", "pdf", "png"]
FIGURE_FORMATS: tuple[FigureFormat, ...] = ("svg", "pdf", "png")


def load(name: str, **options: Unpack[SelectionOptions]) -> Experiment:
    """Return an experiment: as the paper has it, or with its runs at the scale that is named."""
    experiment = catalog.load_experiment(name)
    if not options:
        return experiment
    chosen = select(name, **options)
    return at_scale(experiment, chosen.chosen_scale(), chosen.seeds)


def run(
    *experiments: str | Selection,
    jobs: int | None = None,
    device: str | None = None,
    again: bool = False,
    measure_again: bool = False,
    watcher: Watcher | None = None,
    **options: Unpack[SelectionOptions],
) -> LocalResult:
    """Train here the runs that the experiments still need, and return how each one ended."""
    from repro.local.run import LocalOptions, train_runs

    chosen = select(*experiments, **options).reproduced()
    how = LocalOptions(jobs, device, again, measure_again)
    return train_runs(chosen.runs(), places(), how, watcher)


def submit(
    *experiments: str | Selection,
    on: str,
    retry: bool = False,
    again: bool = False,
    then: Literal["report"] | None = None,
    profile: Mapping[str, Any] | None = None,
    **options: Unpack[SelectionOptions],
) -> list[Sent]:
    """Send the runs that the experiments still need to a cluster; nothing is submitted twice.

    `then="report"` also sends a job that writes the report when the runs have ended. `profile` has
    values that take the place of those in the cluster's profile, as `{"time": 90}`.
    """
    if then not in (None, "report"):
        raise UserError(f"`then` cannot be {quote(then)}", "it is report, or left out")
    from repro.cluster.profile import load_profile
    from repro.cluster.submit.packing import with_known_sharing
    from repro.cluster.submit.report_job import send_report
    from repro.cluster.submit.request import plan_selection
    from repro.cluster.submit.submission import SubmitOptions, send

    here = places()
    # How many runs may share a job is known before the plan is made: it decides the arrays.
    # What a command asks above a size is not asked here: nobody could answer.
    cluster, _ = with_known_sharing(load_profile(on, here.slurm, profile or {}), here)
    chosen = select(*experiments, **options).reproduced()
    wanted = SubmitOptions(retry, again, chosen.words())
    plan = plan_selection(chosen, here, cluster, wanted)
    sent = list(send(plan, here, cluster, wanted))
    if then:
        arrays = [array.array for array in sent if array.array]
        send_report(chosen.chosen_scale().name, arrays, plan.left, here, cluster)
    return sent


def status(*patterns: str, scale: str | None = None) -> list[State]:
    """Return the state of every run whose experiment or id matches a pattern."""
    from repro.cluster.status.matched_folders import select_folders
    from repro.cluster.status.run_states import all_states

    here = places()
    return all_states(select_folders(patterns, here, scale=scale), here)


def collect(*experiments: str | Selection, **options: Unpack[SelectionOptions]) -> Collected:
    """Return all runs as data frames: `runs`, `points` of their curves, `responses` of layers.

    With experiments or options: only the runs that they select.
    """
    from repro.analysis.runs.run_frames import collect

    collected = collect(places())
    # Nothing asked for is everything there is, be it of an experiment or not.
    if not experiments and not options:
        return collected
    return restrict(collected, _all_unless_named(select(*experiments, **options)))


def export(
    *experiments: str | Selection,
    csv: Path | None = None,
    tensorboard: Path | None = None,
    ro_crate: Path | None = None,
    collected: Collected | None = None,
    **options: Unpack[SelectionOptions],
) -> Exported:
    """Write what the selected runs measured: one CSV, event files, an RO-Crate of published ones.

    Without experiments: all of them. Without `scale`: the most serious one that has results.
    """
    from repro.analysis.export.export_folder import export_runs

    chosen, collected = _with_results(experiments, options, collected)
    # An archive is read without this command: its title says what was selected.
    words = " ".join((*chosen.experiments, *chosen.words()))
    title = f"Runs of Deep Residual Learning, reproduced: {words} at scale {chosen.scale}"
    wanted = {"csv": csv, "tensorboard": tensorboard, "ro_crate": ro_crate}
    return export_runs(chosen.runs(), title, collected, wanted)


def compare(
    *experiments: str | Selection,
    against: Path | None = None,
    strict: bool = False,
    allow_mixed: bool = False,
    collected: Collected | None = None,
    **options: Unpack[SelectionOptions],
) -> Diff:
    """Return how our numbers differ from the paper's: rows and claims, each with its verdict.

    Without experiments: all of them. Without `scale`: the most serious one that has results.
    """
    from repro.analysis.compare.paper_diff import compare

    chosen, collected = _with_results(experiments, options, collected)
    scale = chosen.chosen_scale()
    # Only runs that are selected: a row of five seeds may be asked for by its first one.
    collected = replace(part(collected, chosen), strict=strict)
    declared, scaled = chosen.declared(), chosen.experiments_at_scale()
    how = (scale.name, allow_mixed, against, scale.note, scale.named)
    return compare(declared, scaled, collected, *how)


def table(
    name: str | Selection,
    strict: bool = False,
    collected: Collected | None = None,
    **options: Unpack[SelectionOptions],
) -> TableResult:
    """Return a table of the paper with ours beside it, and write it in every format."""
    chosen, collected = _one_page(TABLES, name, options, collected)

    from repro.analysis.compare.judged_numbers import judge_numbers
    from repro.analysis.output import tables

    collected = replace(collected, strict=strict)
    [(page_name, page)] = chosen.declared().items()
    assert isinstance(page, Table)
    scale = chosen.chosen_scale()
    sheet = tables.sheet(page_name, page, collected, scale, chosen.seeds)
    files = tables.write(scale.named(page_name), sheet, places(), scale.name)
    scaled = at_scale(page, scale, chosen.seeds)
    refused: dict[str, None] = {}  # each row once, in the order of the table
    if strict:  # otherwise what would be refused is averaged, and said
        for number in judge_numbers(page_name, scaled, collected):
            if number.refused:
                refused[number.row] = None
    runs = runs_of(scaled)
    complete = not runs or tables.has_ours(sheet)
    return TableResult(tuple(files), scale, complete, collected, runs, sheet, tuple(refused))


def figure(
    name: str | Selection,
    formats: Sequence[FigureFormat] = FIGURE_FORMATS,
    collected: Collected | None = None,
    **options: Unpack[SelectionOptions],
) -> FigureResult:
    """Draw a figure of the paper from the runs there are, or from the nets, and write its files."""
    chosen, collected = _one_page(FIGURES, name, options, collected)

    from repro.analysis.figures import architecture, curve_figures

    [(page_name, page)] = chosen.declared().items()
    scale = chosen.chosen_scale()
    assert isinstance(page, Figure | Drawing)
    # Figures 3 and 5 show nets and no runs.
    if isinstance(page, Drawing):
        drawing, description = architecture.draw(page), architecture.described(page)
    else:
        drawing = curve_figures.draw(page, collected, scale, chosen.seeds)
        description = curve_figures.described(page, collected, scale, chosen.seeds)
    file_name = scale.named(page_name)
    files = curve_figures.write(file_name, drawing, places(), scale.name, formats)
    runs = runs_of(at_scale(page, scale, chosen.seeds))
    complete = not runs or has_points(collected, runs)
    return FigureResult(tuple(files), scale, complete, collected, runs, description)


def report(scale: str | None = None, collected: Collected | None = None) -> Path:
    """Write the report, one HTML file with everything, and return where it is."""
    from repro.analysis.output import report

    chosen, collected = _with_results([Selection(catalog.REPRODUCED, scale)], {}, collected)
    return report.write(report.report(collected, chosen.chosen_scale()), places())


def _without_default_scale(
    experiments: Sequence[str | Selection], options: SelectionOptions
) -> Selection:
    """Return the selection; a scale that nobody named is looked up from the results."""
    chosen = select(*experiments, **options)
    # A `Selection` has said what its scale is; None there means that it is looked up.
    if "scale" in options or Selection in map(type, experiments):
        return chosen
    return replace(chosen, scale=None)


def _all_unless_named(chosen: Selection) -> Selection:
    return chosen if chosen.experiments else replace(chosen, experiments=("all",))


def _with_results(
    experiments: Sequence[str | Selection],
    options: SelectionOptions,
    collected: Collected | None,
) -> tuple[Selection, Collected]:
    """Return the selection at its scale, or else at one that has results; and all runs."""
    from repro.analysis.runs.run_frames import collect

    chosen = _all_unless_named(_without_default_scale(experiments, options))
    chosen.reproduced()  # an experiment that is not reproduced is named before runs are read
    collected = collected or collect(places())
    return at_best_scale(chosen, collected), collected


def _one_page(
    kind: PageKind, name: str | Selection, options: SelectionOptions, collected: Collected | None
) -> tuple[Selection, Collected]:
    """Return the one table or figure that is selected, at a scale; and the runs it may show."""
    chosen = _without_default_scale((name,), options)
    kind.check(chosen)

    from repro.analysis.runs.run_frames import collect

    collected = collected or collect(places())
    chosen = kind.only_one(at_best_scale(chosen, collected))
    return chosen, part(collected, chosen)
