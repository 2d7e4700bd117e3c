"""Write the golden list of run ids, and the README's readings and results, anew: `python tests/golden/write.py`.

Do it when a changed identity is wanted, a reading has been added, or runs have been published.
"""

import tempfile
from pathlib import Path

from experiments.recipes import READINGS
from repro.catalog import NAMES, load, scale, scales
from repro.experiment import at, runs_of
from repro.folders import ROOT, Places
from repro.reading.diff import Diff, compared
from repro.reading.frame import collect, scale_with_results
from repro.reading.telling import our_cell, p_value, paper_cell

IDS = Path(__file__).parent / "run_ids.txt"
README = ROOT / "README.md"
SHOWN = "figure6"  # whose rows the README shows


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
    with tempfile.TemporaryDirectory() as empty:
        (Path(empty) / "published").symlink_to(ROOT / "results" / "published")
        collected = collect(Places(Path(empty), Path(empty), Path(empty)), keep=False)
    figure = load(SHOWN)
    name = scale_with_results([figure], collected)
    diff = compared({SHOWN: figure}, {SHOWN: at(figure, scale(name))}, collected, name)
    return _between(readme, "results", "\n".join([*_numbers(diff), "", *_verdicts(diff)]))


def _numbers(diff: Diff) -> list[str]:
    """Each net that has finished runs, both errors beside the paper's."""
    rows = {(row.row, row.metric): row for row in diff.rows if row.n}
    lines = ["| net | training error: ours | the paper's | test error: ours | the paper's |", "|---|---|---|---|---|"]
    for net in dict.fromkeys(net for net, _ in rows):
        found = [rows[net, metric] for metric in ("train_error", "test_error")]
        cells = [cell for row in found for cell in (our_cell(row), paper_cell(row.paper))]
        lines.append(f"| {net} | {' | '.join(cells)} |")
    return lines


def _verdicts(diff: Diff) -> list[str]:
    """What the runs say about the paper's claims, the undecided ones too."""
    return [
        f"- **{claim.word}**{'' if claim.p is None else f' (p = {p_value(claim.p)})'}: {claim.claim.text}"
        for claim in diff.claims
        if claim.checked and claim.word != "missing"
    ]


def _between(readme: str, what: str, text: str) -> str:
    begin, end = f"<!-- {what}: written by `python tests/golden/write.py` -->\n", f"<!-- end of {what} -->"
    before, rest = readme.split(begin)
    return f"{before}{begin}{text}\n{end}{rest.split(end)[1]}"


if __name__ == "__main__":
    IDS.write_text("\n".join(ids()) + "\n")
    README.write_text(results(readings(README.read_text())))
