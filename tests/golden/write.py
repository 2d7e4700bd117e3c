"""Write the golden list of run ids, and the README's list of readings, anew: `python tests/golden/write.py`.

Do it when a changed identity is wanted, or a reading has been added.
"""

from pathlib import Path

from experiments.recipes import READINGS
from repro.catalog import NAMES, load, scales
from repro.experiment import at, runs_of
from repro.folders import ROOT

IDS = Path(__file__).parent / "run_ids.txt"
README = ROOT / "README.md"
BEGIN, END = "<!-- readings: written by `python tests/golden/write.py` -->\n", "<!-- end of readings -->"


def ids() -> list[str]:
    """Every run of every experiment at every scale, each once, in the paper's order."""
    runs = (run for scale in scales().values() for name in NAMES for run in runs_of(at(load(name), scale)))
    return list(dict.fromkeys(run.id for run in runs))


def readings(readme: str) -> str:
    """The README with the table of readings as the recipes have it."""
    before, rest = readme.split(BEGIN)
    lines = ["| what | here | why |", "|---|---|---|", *(f"| {r.what} | {r.ours} | {r.why} |" for r in READINGS)]
    return before + BEGIN + "\n".join(lines) + "\n" + END + rest.split(END)[1]


if __name__ == "__main__":
    IDS.write_text("\n".join(ids()) + "\n")
    README.write_text(readings(README.read_text()))
