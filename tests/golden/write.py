"""Write anew what is tracked and generated: `python tests/golden/write.py`.

The golden list of run ids; the tables, figures and diff of the published runs, made as a clone
would make them; the README's readings and results. Do it when a changed identity is wanted, a
reading has been added, or runs have been published.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from experiments.readings import READINGS
from repro.analysis.compare.judged_numbers import JudgedNumber, judge_numbers
from repro.analysis.compare.number_text import p_text, paper_text
from repro.analysis.compare.paper_diff import compare
from repro.analysis.compare.variant_runs import variant_runs
from repro.analysis.output.diff_words import our_cell, summary, verdict_text
from repro.analysis.runs.run_frames import Collected, collect
from repro.cli import cli
from repro.cost.gpu_hours import format_hours, gpu_hours
from repro.definition.experiment import Experiment, Table, at_scale, runs_of
from repro.definition.scales_and_variants import Scale
from repro.protocol.catalog import NAMES, REPRODUCED, all_scales, load_experiment, load_scale
from repro.protocol.selection import Selection
from repro.storage.paths import ROOT, Places

IDS = Path(__file__).parent / "run_ids.txt"
README = ROOT / "README.md"
READINGS_PAGE = ROOT / "docs" / "readings-and-departures.md"
TRACKED = Places(ROOT / "results", ROOT / "figures", ROOT / "data")
PUBLISHED = TRACKED.published
NETS = "figure6"  # whose rows the README's first table has, and which its figure is
PRINTED = "table6"  # has the test errors that the paper prints; Figure 6's are read off
TOO_SHORT = ("quick", "smoke")  # scales whose numbers do not stand beside the paper's in the README
FIGURE_TITLE = "Figure 6: plain nets, ResNets, ResNets of 110 and 1202 layers"
SHORT = "quick"  # the scale that is named where there is nothing of scale `paper`
HEADINGS = (
    "net",
    "test error: ours",
    "the paper's",
    "verdict",
    "training error: ours",
    "the paper's",
)
HEADINGS += ("scale", "data")


def ids() -> list[str]:
    """Every run of every experiment at every scale, each once, in the paper's order."""
    runs = (
        run
        for scale in all_scales().values()
        for name in NAMES
        for run in runs_of(at_scale(load_experiment(name), scale))
    )
    return list(dict.fromkeys(run.id for run in runs))


def readings(page: str) -> str:
    """Return the page with the table of readings as the recipes have it."""
    lines = [
        "| what | here | why |",
        "|---|---|---|",
        *(f"| {r.what} | {r.ours} | {r.why} |" for r in READINGS),
    ]
    return _between(page, "readings", "\n".join(lines))


def results(readme: str, published: Path = PUBLISHED) -> str:
    """The README with the best published number of each net, the figure, and the verdicts; or that
    there are none."""
    with clone(published) as places:
        collected = collect(places, keep=False)
    best = _best(collected)
    numbers = [row for row in best.values() if row]
    if not numbers:
        return _between(readme, "results", "\n".join(_nothing_yet(collected, published)))
    lines = [
        f"{len(numbers)} of {len(best)} nets {'has' if len(numbers) == 1 else 'have'} a number so far, "
        "each of the best scale there is; n counts seeds."
    ]
    with_numbers = {row.reading for row in numbers}
    shown = next(reading for reading in _serious_readings(collected) if reading in with_numbers)
    lines += [
        "",
        *_figure(shown, f"{FIGURE_TITLE}, at scale {shown.plain_words}"),
        *_table(best, collected),
        "",
        *_verdicts(shown, collected),
    ]
    return _between(readme, "results", "\n".join(lines))


def _nothing_yet(collected: Collected, published: Path) -> list[str]:
    """The paper's own curves, named as such; how far our runs are; and what `repro diff` says."""
    public = {path.name for path in published.iterdir()}
    needed = runs_of(at_scale(load_experiment(NETS), load_scale("paper")))
    hours = format_hours(sum(map(gpu_hours, needed)))
    lines = [
        *_figure(Reading("paper"), "The paper's own curves of its Figure 6, redrawn"),
        "These are **the paper's** curves, read off its Figure 6; none of them is ours. In the left panel deeper nets",
        "are worse; in the middle, with shortcuts, they are better. (Solid: test error; dashed: training error.)",
        "",
        f"**Ours: no run of scale `paper` is published yet**, of the {len(needed)} that this figure takes ({hours}).",
    ]
    short = runs_of(at_scale(load_experiment(NETS), load_scale(SHORT)))
    done = sum(run.id in public for run in short)
    if done:
        picture = TRACKED.figures_at(SHORT).relative_to(ROOT) / f"{NETS}.png"
        lines.append(
            f"Of scale `{SHORT}`, whose numbers cannot be compared, {done} of {len(short)} runs are: [their figure]({picture})."
        )
    experiments = {name: load_experiment(name) for name in REPRODUCED}
    scaled = {name: at_scale(page, load_scale("paper")) for name, page in experiments.items()}
    diff = compare(experiments, scaled, collected, "paper")
    words = summary(diff).replace("At scale paper. ", "")
    return [*lines, "", f"What `repro diff` says today: {words}"]


@contextmanager
def clone(published: Path = PUBLISHED) -> Iterator[Places]:
    """A clone's folders: published runs and no others, ours and other labs', and the tracked looks."""
    with tempfile.TemporaryDirectory() as empty:
        places = Places(Path(empty) / "results", Path(empty) / "figures", Path(empty) / "data")
        places.results.mkdir()
        places.published.symlink_to(published)
        if (labs := published.with_name("labs")).is_dir():
            places.labs.symlink_to(labs)
        copy_looks(TRACKED, places)
        yield places


def copy_looks(source: Places, target: Places) -> None:
    """Copy the files that remember which data have been looked at: a later look must cost more."""
    for scale in all_scales():
        looks = source.tables_at(scale) / "looks"
        if scale != "smoke" and looks.is_dir():
            shutil.copytree(looks, target.tables_at(scale) / "looks", dirs_exist_ok=True)


def artefacts() -> None:
    """What needs no run; and of each reading with published runs, their tables and figures, and the
    diff."""
    public = {path.name for path in PUBLISHED.iterdir()}
    with clone() as places:
        folders = {"REPRO_RESULTS": str(places.results), "REPRO_FIGURES": str(places.figures)}
        collected = collect(places, keep=False)
        for reading in _readings(all_scales(), collected):
            chosen = reading.selected()
            runs = {
                name: {run.id for run in runs_of(at_scale(load_experiment(name), chosen))}
                for name in REPRODUCED
            }
            made = [
                name
                for name in REPRODUCED
                if runs[name] & public or _untrained(runs[name], reading)
            ]
            # Without a run of ours it is the paper's curves alone: the README's first picture.
            if reading == Reading("paper") and NETS not in made:
                made.append(NETS)
            commands = [[command_of(load_experiment(name)), name] for name in made]
            # The diff is written of the experiments' own reading alone.
            if not reading.variant and (
                reading.scale == "paper" or public & set().union(*runs.values())
            ):
                commands.append(["diff"])
            for words in commands:
                CliRunner().invoke(
                    cli, [*words, *reading.options()], env=folders, catch_exceptions=False
                )
            written = {chosen.named(name) for name in made} | {"diff"}
            for of in (Places.tables_at, Places.figures_at):
                for path in of(places, chosen.name).glob("*.*"):
                    if path.stem in written:
                        of(TRACKED, chosen.name).mkdir(exist_ok=True)
                        shutil.copyfile(path, of(TRACKED, chosen.name) / path.name)
        copy_looks(places, TRACKED)


def command_of(experiment: Experiment) -> str:
    """The command that makes it: a page of one's own may have any name."""
    return "table" if isinstance(experiment, Table) else "figure"


def _untrained(runs: set[str], reading: Reading) -> bool:
    """What is counted or drawn from the nets is the same in every reading, and tracked once."""
    return not runs and reading == Reading("paper")


@dataclass(frozen=True)
class Reading:
    """A scale, and the variant in which runs are published; without one, the experiments' own."""

    scale: str
    variant: str = ""

    @property
    def plain_words(self) -> str:
        return f"{self.scale}, variant {self.variant}" if self.variant else self.scale

    def selected(self) -> Scale:
        variants = (self.variant,) if self.variant else ()
        return Selection(scale=self.scale, variants=variants).chosen_scale()

    def options(self) -> list[str]:
        """Return what is typed to get it."""
        chosen = ["--scale", self.scale]
        return [*chosen, "--variant", self.variant] if self.variant else chosen


def _readings(scales: Iterable[str], collected: Collected) -> list[Reading]:
    """Return each scale's own reading, and then those variants of it that have published runs."""
    readings = []
    for name in scales:
        readings.append(Reading(name))
        pages = [load_experiment(page) for page in REPRODUCED]
        found = variant_runs(pages, load_scale(name), collected)
        readings += [Reading(name, one.variant) for one in found if one.scale == name]
    return readings


def _serious_readings(collected: Collected) -> list[Reading]:
    """Return the readings that the README shows, the paper's own schedule first."""
    serious = [name for name in all_scales() if name not in TOO_SHORT]
    return _readings(serious, collected)


@dataclass(frozen=True)
class Best:
    """What the README says of one net: both errors, in the most serious reading with a published
    run of it."""

    reading: Reading
    test: JudgedNumber
    train: JudgedNumber


def _best(collected: Collected) -> dict[str, Best | None]:
    """The best there is of each net, by its label; None where no run of it is published."""
    best: dict[str, Best | None] = {}
    for reading in _serious_readings(collected):
        judged_rows = _judged(reading, collected)
        for (label, metric), row in judged_rows.items():
            known = best.setdefault(label, None)
            if metric == "test_error" and row.runs and known is None:
                best[label] = Best(reading, row, judged_rows[label, "train_error"])
    return best


def _judged(reading: Reading, collected: Collected) -> dict[tuple[str, str], JudgedNumber]:
    """Each net's errors in one reading; a test error beside the printed number where the paper
    prints one."""
    rows = {}
    for name in (NETS, PRINTED):
        experiment = at_scale(load_experiment(name), reading.selected())
        for row in judge_numbers(name, experiment, collected):
            if name == NETS or (row.row, row.metric) in rows:
                rows[row.row, row.metric] = row
    return rows


def _table(best: Mapping[str, Best | None], collected: Collected) -> list[str]:
    """A line for each net, ours beside the paper's; "none yet" where nothing is published."""
    lines = [f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
    papers = _judged(Reading("paper"), collected)
    for label, row in best.items():
        theirs = [
            paper_text(papers[label, metric].paper) for metric in ("test_error", "train_error")
        ]
        cells = [label, "none yet", theirs[0], "–", "none yet", theirs[1], "–", "–"]
        if row:
            ours = [our_cell(row.test), our_cell(row.train)]
            cells = [
                label,
                ours[0],
                theirs[0],
                verdict_text(row.test),
                ours[1],
                theirs[1],
                row.reading.plain_words,
            ]
            cells.append(_data(row.test, collected))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _data(row: JudgedNumber, collected: Collected) -> str:
    """Which images the runs of a row saw, as their records say."""
    runs = collected.runs[collected.runs["id"].isin(row.runs)]
    images = (
        runs["data_name"].fillna("?") + ", " + runs["data_origin"].fillna("of unrecorded origin")
    )
    return "; ".join(sorted(set(images)))


def _figure(reading: Reading, title: str) -> list[str]:
    folder = TRACKED.figures_at(reading.scale).relative_to(ROOT)
    return [f"![{title}]({folder}/{reading.selected().named(NETS)}.png)", ""]


def _verdicts(reading: Reading, collected: Collected) -> list[str]:
    """What a test says about the paper's claims, and how many others there are; `repro diff` has
    them all.

    All claims are asked for at once, as each p is adjusted for their number.
    """
    experiments = {name: load_experiment(name) for name in REPRODUCED}
    scaled = {
        name: at_scale(experiment, reading.selected()) for name, experiment in experiments.items()
    }
    compared = compare(
        experiments, scaled, collected, reading.scale, file_name=reading.selected().named
    )
    claims = [claim for claim in compared.claims if claim.checked]
    tested = [claim for claim in claims if claim.p is not None]
    others = Counter(claim.word for claim in claims if claim.p is None)
    lines = [f"The paper's claims, at scale `{reading.plain_words}`:", ""]
    lines += [
        f"- **{claim.word}** (p = {p_text(claim.p or 0)}): {claim.claim.text}" for claim in tested
    ]
    counts = ", ".join(f"{count} `{word}`" for word, count in others.most_common())
    return [
        *lines,
        f"- The other {others.total()} claims, by counting alone: {counts}. `repro diff` has the reasons.",
    ]


def _between(readme: str, what: str, text: str) -> str:
    begin, end = (
        f"<!-- {what}: written by `python tests/golden/write.py` -->\n",
        f"<!-- end of {what} -->",
    )
    before, rest = readme.split(begin)
    return f"{before}{begin}{text}\n{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    IDS.write_text("\n".join(ids()) + "\n")
    artefacts()
    README.write_text(results(README.read_text()))
    READINGS_PAGE.write_text(readings(READINGS_PAGE.read_text()))
