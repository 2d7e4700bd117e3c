"""The long tier, `make test-long`: every kind of damage in full, the figures kept in
`results/reliability.json`.

One kind runs on each core: about a quarter of an hour on two cores with nothing else to do.
`python -m tests.reliability.long kills power` does only those kinds and keeps the other figures;
`python -m tests.reliability.long print` damages nothing, prints the table, and puts it into the page.
A figure that must be 0 and is not ends it with exit code 1.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from typing import Any

from repro.storage.atomic import read_json, to_json
from repro.storage.paths import ROOT

FILE = ROOT / "results" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- reliability: written by `make test-long` -->\n", "<!-- end of reliability -->"

# The longest first, so that no core is idle at the end. Sized so that the whole is sensible; a
# larger size is a number here: 1000 kills, all 6 errors at each operation.
FULL: dict[str, tuple[int, ...]] = {
    "campaign": (1000, 0),
    "kills": (500, 0),
    "faults": (),
    "signals": (150, 0),
    "errors": (1, 2),
    "fences": (1,),
    "races": (100, 0),
    "calls": (1,),
    "flips": (5_000, 0),
    "words": (5_000, 0),
    "power": (1,),
    "rows": (),
    "hostile": (),
    "nowhere": (),
    "secrets": (),
    "cost": (),
    "deep": (),
}
# These measure time: nothing runs beside them.
ALONE = ("cost", "deep")
# What must be 0 in every kind that counts it.
FAULTS = (
    *("differing_bytes", "lost", "doubled", "wrong_words", "unclear", "temporaries_left"),
    *("checkpoints_lost", "iterations_trained_again", "promises_broken", "wrong_rows"),
    *("files_changed", "found", "wrong_answers", "files_made", "failed_tests"),
)

REASONS = {  # what one might expect otherwise, and why it is so
    "a run that goes on with other code, on another machine or with another torch": "is not refused, for a changed "
    "comment would cost it; both are on its record, each table and diff that averages it says so, and with --strict "
    "neither does, and ends with exit code 1",
    "a run that says it is running on a machine that cannot be asked": "is watched for 25 seconds: "
    "if its beat moves it is left alone, with exit code 1; if not, `repro run` says that it takes "
    "over, and only the newest attempt publishes",
    "collect, table or figure with nothing to show": "ends with 3, as diff does: what was asked for is still missing. "
    "With 1 end folders of which none can be read, and figures whose runs all diverged",
    "a kill -9 by hand": "is called `probably out of memory` too, with the memory it had: nobody can tell them apart "
    "from outside, and SLURM without cgroups says no more than that a signal came",
    "the best checkpoint": "is not kept beside the last two: the paper reports the last iteration, and so do we",
    "figures and tables": "are private like all else until REPRO_GROUP_READABLE=1 or chmod says otherwise; git keeps "
    "no such modes, so what is committed is not affected",
    "an absurd rate or momentum": "is accepted: the run diverges, and its record says so; absurd sizes are refused",
    "an older Python": "is refused by make and by pip; there was none to try it with",
}

Figures = dict[str, dict[str, Any]]


def main(words: list[str]) -> int:
    """Do the kinds that are named, or all; return the exit code."""
    figures: Figures = read_json(FILE) or {}
    wrong = []
    for name, made in _damaged([] if words == ["print"] else words or [*FULL]):
        if made is None:
            wrong.append(f"{name}: it broke off, and its figures are those of before")
            continue
        figures[name] = made | _versions()
        FILE.write_bytes(to_json(figures | {"reasons": REASONS}))
        print(name, json.dumps(figures[name]), flush=True)
        wrong += [f"{name}: {made[key]} {key}, not 0" for key in FAULTS if made.get(key)]
    print(table(figures))
    print("\n".join(f"- {what}: {why}" for what, why in REASONS.items()))
    PAGE.write_text(published(PAGE.read_text(), figures))
    for line in wrong:
        print(f"wrong: {line}", file=sys.stderr)
    return 1 if wrong else 0


def _damaged(names: Sequence[str]) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Do these kinds of damage, one on each core, and yield the figures of each as it ends."""
    together = [name for name in names if name not in ALONE]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        begun = {pool.submit(_figures, name): name for name in together}
        for ended in as_completed(begun):
            yield begun[ended], ended.result()
    for name in names:
        if name in ALONE:
            yield name, _figures(name)


def _figures(name: str) -> dict[str, Any] | None:
    """Do one kind of damage in a process of its own; return its figures, None where it broke off."""
    numbers = map(str, FULL[name])
    command = [sys.executable, "-m", "tests.reliability.harness.damage", name, *numbers]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    if done.returncode:
        return None
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _versions() -> dict[str, str]:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    return {"date": today, "torch": _torch(), "python": platform.python_version()}


def published(readme: str, figures: Figures) -> str:
    """Return the page with the table of these figures."""
    before, rest = readme.split(BEGIN)
    return before + BEGIN + table(figures) + "\n" + END + rest.split(END)[1]


def table(figures: Figures) -> str:
    """One line for each kind of damage that has been done in full."""
    lines = ["| damage | how often | what became of it |", "|---|---|---|"]
    for name, (damage, often, became) in WORDS.items():
        if name in figures:
            found = {
                key: f"{value:,}" if isinstance(value, int) else value
                for key, value in figures[name].items()
            }
            lines.append(
                f"| {damage.format(**found)} | {often.format(**found)} | {became.format(**found)} |"
            )
    return "\n".join(lines)


WORDS = {  # damage, how often, what became of it
    "campaign": (
        "a week of a simulated cluster: {runs} runs, two people who submit, {preempted} preempted "
        "and {killed} killed jobs, {node_deaths} on nodes that died, {outages} controller outages, "
        "{submitters_killed} submitters killed",
        "{jobs} jobs, {words} words of `status`",
        "{lost} runs lost, {doubled} doubled, {wrong_words} wrong words",
    ),
    "faults": (
        "each fault of the table below, as a user would meet it",
        "{faults} faults, {tests} tests",
        "{passed} passed, {failed_tests} failed, {left_out} left out",
    ),
    "kills": (
        "`kill -9` at a random moment",
        "{kills} in {runs} runs",
        "{differing_bytes} bytes differ",
    ),
    "calls": (
        "`kill -9` at each file operation of a run",
        "{kills}",
        "{differing_bytes} bytes differ",
    ),
    "errors": (
        "each file operation fails: disk full, quota, I/O, read-only, no right, stale",
        "{failed_calls}: {errors_each} of the 6 at each",
        "{unclear} unclear messages, {checkpoints_lost} checkpoints lost, {differing_bytes} bytes differ",
    ),
    "signals": (
        "asked to stop, as SLURM does before it preempts, at a random moment",
        "{asked} in {runs} runs",
        "{iterations_trained_again} iterations trained again, {differing_bytes} bytes differ",
    ),
    "power": (
        "the power fails: every state the disk may be in",
        "{states}",
        "{promises_broken} saved checkpoints lost",
    ),
    "flips": (
        "a checkpoint with a bit flipped, cut, or with a page of zeros",
        "{bits_flipped} + {cuts} + {pages_zeroed}",
        "{detected} seen, the previous one used {previous_used} times",
    ),
    "rows": (
        "a curve cut at each byte, each bit flipped",
        "{bytes_cut_at} + {bits_flipped}",
        "{wrong_rows} wrong rows",
    ),
    "fences": (
        "an old attempt hangs at each file operation, wakes up late",
        "{rounds}",
        "{files_changed} files changed",
    ),
    "races": ("two attempts at work on one run", "{rounds}", "{differing_bytes} bytes differ"),
    "nowhere": (
        "attempts that get nowhere",
        "{attempts_before_it_stops}",
        "the run stops and says so",
    ),
    "cost": ("saving as often as it may", "{seconds} s", "{percent} % of the time"),
    "deep": (
        "ResNet-1202 is saved, weights and momentum",
        "{saves} times, {mebibytes} MiB each",
        "{seconds} s a time; {checkpoints} are kept",
    ),
    "secrets": (
        "secrets planted in the environment",
        "{planted}",
        "{found} found in what was written",
    ),
    "hostile": (
        "{names} hostile names at each of {entrances} entrances",
        "{typed}",
        "{wrong_answers} wrong answers, {files_made} files made",
    ),
    "words": (
        "lists of words from a grammar, most of them wrong",
        "{typed}",
        "{wrong_answers} tracebacks or unpublished exit codes, {files_made} files made",
    ),
}


def _torch() -> str:
    import torch

    return str(torch.__version__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
