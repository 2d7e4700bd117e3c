"""Write anew what is tracked and generated: `python tests/golden/write.py`.

The golden list of run ids; the tables, figures and diff of the published runs, made as a clone would make them; the
README's readings and results. Do it when a changed identity is wanted, a reading has been added, or runs have been
published.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner

from experiments.recipes import READINGS
from repro.catalog import NAMES, REPRODUCED, load, scale, scales
from repro.cli import cli
from repro.experiment import Experiment, Scale, Table, at, runs_of
from repro.folders import ROOT, Places
from repro.reading.diff import Diff, compared
from repro.reading.frame import collect, scale_with_results
from repro.reading.telling import our_cell, p_value, paper_cell

IDS = Path(__file__).parent / "run_ids.txt"
README = ROOT / "README.md"
TRACKED = Places(ROOT / "results", ROOT / "figures", ROOT / "data")
SHOWN = "figure6"  # whose rows the README shows; of claims it shows all, as each p is adjusted for their number


def ids() -> list[str]:
    """Every run of every experiment at every scale, each once, in the paper's order."""
    runs = (run for scale in scales().values() for name in NAMES for run in runs_of(at(load(name), scale)))
    return list(dict.fromkeys(run.id for run in runs))


def readings(readme: str) -> str:
    """The README with the table of readings as the recipes have it."""
    lines = ["| what | here | why |", "|---|---|---|", *(f"| {r.what} | {r.ours} | {r.why} |" for r in READINGS)]
    return _between(readme, "readings", "\n".join(lines))


def results(readme: str) -> str:
    """The README with the numbers and the verdicts of the published runs, of nothing else."""
    with clone() as places:
        collected = collect(places, keep=False)
    experiments = {name: load(name) for name in REPRODUCED}
    chosen = scale(scale_with_results([load(SHOWN)], collected))
    scaled = {name: at(experiment, chosen) for name, experiment in experiments.items()}
    diff = compared(experiments, scaled, collected, chosen.name)
    return _between(readme, "results", "\n".join([*_numbers(diff), "", *_verdicts(diff)]))


@contextmanager
def clone() -> Iterator[Places]:
    """A clone's folders: published runs, and no others."""
    with tempfile.TemporaryDirectory() as empty:
        places = Places(Path(empty) / "results", Path(empty) / "figures", Path(empty) / "data")
        places.results.mkdir()
        (places.results / "published").symlink_to(ROOT / "results" / "published")
        yield places


def artefacts() -> None:
    """What needs no run; and of each scale with published runs, their tables and figures, and the diff."""
    public = {path.name for path in (ROOT / "results" / "published").iterdir()}
    with clone() as places:
        folders = {"REPRO_RESULTS": str(places.results), "REPRO_FIGURES": str(places.figures)}
        for chosen in scales().values():
            runs = {name: {run.id for run in runs_of(at(load(name), chosen))} for name in REPRODUCED}
            made = [name for name in REPRODUCED if runs[name] & public or _untrained(runs[name], chosen)]
            for words in [[command_of(load(name)), name] for name in made] + [["diff"]] * bool(
                public & set().union(*runs.values())
            ):
                CliRunner().invoke(cli, [*words, "--scale", chosen.name], env=folders, catch_exceptions=False)
            for of in (Places.tables_at, Places.figures_at):
                for path in of(places, chosen.name).glob("*.*"):
                    if path.stem in (*made, "diff"):
                        of(TRACKED, chosen.name).mkdir(exist_ok=True)
                        shutil.copyfile(path, of(TRACKED, chosen.name) / path.name)


def command_of(experiment: Experiment) -> str:
    """The command that makes it: a page of one's own may have any name."""
    return "table" if isinstance(experiment, Table) else "figure"


def _untrained(runs: set[str], chosen: Scale) -> bool:
    """What is counted or drawn from the nets is the same at every scale, and tracked once."""
    return not runs and chosen.name == "paper"


def _numbers(diff: Diff) -> list[str]:
    """Each net that has finished runs, both errors beside the paper's."""
    rows = {(row.row, row.metric): row for row in diff.rows if row.n and row.experiment == SHOWN}
    lines = ["| net | training error: ours | the paper's | test error: ours | the paper's |", "|---|---|---|---|---|"]
    for net in dict.fromkeys(net for net, _ in rows):
        found = [rows[net, metric] for metric in ("train_error", "test_error")]
        cells = [cell for row in found for cell in (our_cell(row), paper_cell(row.paper))]
        lines.append(f"| {net} | {' | '.join(cells)} |")
    return lines


def _verdicts(diff: Diff) -> list[str]:
    """What a test says about the paper's claims, and how many others there are; `repro diff` has them all."""
    claims = [claim for claim in diff.claims if claim.checked]
    tested = [claim for claim in claims if claim.p is not None]
    others = Counter(claim.word for claim in claims if claim.p is None)
    rest = f"- Of the other {others.total()} claims {others['holds']} **hold** by counting alone; {others['undecided']}"
    rest += f" are **undecided**, for reasons that `repro diff` gives; {others['missing']} are **missing** runs."
    return [*(f"- **{claim.word}** (p = {p_value(claim.p or 0)}): {claim.claim.text}" for claim in tested), rest]


def _between(readme: str, what: str, text: str) -> str:
    begin, end = f"<!-- {what}: written by `python tests/golden/write.py` -->\n", f"<!-- end of {what} -->"
    before, rest = readme.split(begin)
    return f"{before}{begin}{text}\n{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    IDS.write_text("\n".join(ids()) + "\n")
    artefacts()
    README.write_text(results(readings(README.read_text())))
