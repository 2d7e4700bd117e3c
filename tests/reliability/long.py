"""The long tier, `make test-long`: every kind of damage in full, the figures kept in
`results/reliability.json`.

It takes most of an hour on one core. `python -m tests.reliability.long kills power` does only those
kinds and keeps the other figures; `python -m tests.reliability.long print` damages nothing, prints
the table, and puts it into the page.
"""

from __future__ import annotations

import json
import platform
import sys
from datetime import UTC, datetime
from typing import Any

from repro.storage.atomic import read_json, to_json
from repro.storage.paths import ROOT

FILE = ROOT / "results" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- reliability: written by `make test-long` -->\n", "<!-- end of reliability -->"

FULL: dict[str, tuple[int, ...]] = {
    "kills": (1000, 0),
    "calls": (1,),
    "errors": (1, 6),
    "signals": (300, 0),
    "power": (1,),
    "flips": (10_000, 0),
    "rows": (),
    "fences": (1,),
    "races": (200, 0),
    "nowhere": (),
    "cost": (),
    "deep": (),
    "secrets": (),
    "hostile": (),
    "words": (10_000, 0),
    "campaign": (1000, 0),
}

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


def main(words: list[str]) -> None:
    figures: Figures = read_json(FILE) or {}
    for name in [] if words == ["print"] else words or FULL:
        from tests.reliability.harness.damage import damage

        made = {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "torch": _torch(),
            "python": platform.python_version(),
        }
        figures[name] = damage(name, *FULL[name]) | made
        FILE.write_bytes(to_json(figures | {"reasons": REASONS}))
        print(name, json.dumps(figures[name]), flush=True)
    print(table(figures))
    print("\n".join(f"- {what}: {why}" for what, why in REASONS.items()))
    PAGE.write_text(published(PAGE.read_text(), figures))


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
    main(sys.argv[1:])
