"""What a stranger might type: names that want to be paths, commands or markup, wherever a name is
asked for; and lists of words from a grammar, most of them wrong."""

from __future__ import annotations

import random

from repro.cli import VERBS
from repro.cli.data import command as data

NAMES = [
    *("", "../../etc/x", "/abs", "a/b", "..", "."),
    *("$(touch F)", "`id`", "; rm -rf ~", "| sh", "x\\'\"\ntouch F\n#"),
    *("a\nb", "a\tb", "a\rb", "a\0b", "\x1b[31mred"),
    *("x" * 65, "x" * 256, "x" * 100_000),
    *("%j", "%A", "50%a"),
    *("resnet\u202e20", "r\u0435snet20", "e\u0301", "\u00e9", "\udcff"),
    *("CON", "nul", "table6.", "table6 ", "TABLE6", "a" * 64 + "."),
    *("<script>", "<img onerror=x>", "$\\input{x}$"),
]
DRY = ["submit", "figure6", "--on", "example", "--dry-run", "--scale", "smoke"]
ENTRANCES = [
    ["run", "NAME"],
    ["show", "NAME"],
    ["submit", "NAME", "--on", "example", "--dry-run"],
    ["submit", "figure6", "--on", "NAME"],
    [*DRY, "--partition", "NAME", "--seeds", "0"],
    ["reproduce", "figure6", "--scale", "NAME"],
    ["run", "figure6", "--variant", "NAME"],
    ["run", "figure6", "--set", "recipe.dataset=NAME", "--only", "nothing"],
    ["table", "NAME"],
    ["figure", "NAME"],
    ["diff", "NAME"],
    ["report", "--scale", "NAME"],
    ["logs", "NAME"],
    ["cancel", "NAME", "--yes"],
    ["show", "table6", "--run", "NAME"],
    ["data", "import", "NAME", "nowhere"],
    ["bench", "NAME"],
]
LONGEST = 200  # letters of a problem, whatever was typed
EXIT_CODES = {0, 1, 2, 3, 4, 130}

# Verbs that could begin long work get a name that cannot exist.
_BEGINS_WORK = {
    "run",
    "submit",
    "reproduce",
    "table",
    "figure",
    "diff",
    "report",
    "collect",
    "doctor",
}
_BEGINS_WORK |= {"evaluate", "bench"}
_TYPED = [name for name in NAMES if "\0" not in name]  # no process can be given a NUL
_WORDS = [
    "table6",
    "figure6",
    "figure1",
    "table7",
    "cifar10",
    "all",
    "resnet-20*",
    "!*110*",
    "1_0",
    "zzz",
    *_TYPED,
]
_VALUES = [
    "0",
    "1",
    "-1",
    "1.5",
    "nan",
    "1e9",
    "١٢",
    "smoke",
    "paper",
    "x=y",
    "rate=0.1",
    "cpu",
    "json",
    *_TYPED,
]
_OPTIONS = [
    "--scale",
    "--seeds",
    "--set",
    "--variant",
    "--only",
    "--skip",
    "--jobs",
    "--device",
    "--run",
    "--format",
]
_OPTIONS += [
    "--on",
    "--time",
    "--memory",
    "--gpus",
    "--sbatch",
    "--max-parallel",
    "--lines",
    "--rank",
    "--fail-on",
]
_FLAGS = [
    "--json",
    "--debug",
    "--help",
    "-h",
    "--yes",
    "--failed",
    "--err",
    "--dry-run",
    "--test-only",
    "--version",
]
_FLAGS += ["--", "-x"]


def given(entrance: list[str], name: str) -> list[str]:
    """The command line that has this name at that entrance."""
    return [word.replace("NAME", name) for word in entrance]


def argument_list(chance: random.Random) -> list[str]:
    """Some command line or other."""
    # `init` lays a folder out, whatever it is called: nothing is wrong with that.
    verb = chance.choice([*(verb for verb in VERBS if verb != "init"), "rnu", *_TYPED[:4]])
    words = [verb]
    if verb == "data":
        words.append(chance.choice([*data.commands, "lst"]))
        if words[1] in ("prepare", "import"):
            words.append("no-such-set")
    if verb in _BEGINS_WORK:
        words.append("no such thing")
    for _ in range(chance.randrange(5)):
        kind = chance.random()
        if kind < 0.4:
            words.append(chance.choice(_WORDS))
        elif kind < 0.8:
            words += [chance.choice(_OPTIONS), chance.choice(_VALUES)][
                : chance.choice((1, 2, 2, 2))
            ]
        else:
            words.append(chance.choice(_FLAGS))
    return words
