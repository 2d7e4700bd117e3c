"""Print the rules of `repro status` as a Markdown table: run this module with `python -m`."""

from __future__ import annotations

from enum import StrEnum

from repro.cluster.status.status_rules import RULES

_ASKED = {
    "record": "record",
    "queue": "job",
    "failure": "`failed.json`",
    "progress": "`progress.json`",
    "process": "process",
    "sender": "started by",
    "log": "SLURM's log",
}


def table() -> str:
    """Return the rules as a Markdown table."""
    lines = ["| word | when | `repro submit` | `repro run` |", "|---|---|---|---|"]
    for rule in RULES:
        when = "; ".join(_condition(fact, values) for fact, values in rule.when.items())
        otherwise = when or "otherwise"
        lines.append(f"| {rule.word} | {otherwise} | {rule.submit} | {rule.run} |")
    return "\n".join(lines)


def _condition(fact: str, values: tuple[StrEnum, ...]) -> str:
    """Return one condition in words, by the values that it excludes where these are fewer."""
    [kind] = {type(value) for value in values}
    others = [value for value in kind if value not in values]
    if len(others) < len(values):
        return f"{_ASKED[fact]}: not {' or '.join(others)}"
    return f"{_ASKED[fact]}: {' or '.join(values)}"


if __name__ == "__main__":
    print(table())
