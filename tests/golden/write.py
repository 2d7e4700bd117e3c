"""Write the golden list of run ids anew: `python tests/golden/write.py`. Do it when a changed identity is wanted."""

from pathlib import Path

from repro.catalog import NAMES, load, scales
from repro.experiment import at, runs_of

IDS = Path(__file__).parent / "run_ids.txt"


def ids() -> list[str]:
    """Every run of every experiment at every scale, each once, in the paper's order."""
    runs = (run for scale in scales().values() for name in NAMES for run in runs_of(at(load(name), scale)))
    return list(dict.fromkeys(run.id for run in runs))


if __name__ == "__main__":
    IDS.write_text("\n".join(ids()) + "\n")
