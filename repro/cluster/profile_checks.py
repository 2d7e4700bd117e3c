"""What a value of a profile may look like before it becomes a part of the sbatch text."""

from __future__ import annotations

import re

from repro.errors import UserError, quote

_WORD = re.compile(
    r"[A-Za-z0-9._,:|&*()\[\]@+=/-]{1,200}"
)  # no quotes, blanks, $, `, ;, \ or control characters
_OPTION = re.compile(r"[a-z][a-z0-9-]{0,40}")

# sbatch options that are ours to set: given twice, the later one would silently win.
_OURS = {
    "array",
    "output",
    "error",
    "open-mode",
    "signal",
    "requeue",
    "chdir",
    "job-name",
    "wckey",
    "wrap",
}
_OURS |= {"test-only", "gpus-per-node", "gres", "mem", "cpus-per-task", "ntasks-per-node"}


def check_word(key: str, value: str | None) -> None:
    if value is None:
        return
    if not _WORD.fullmatch(value) or not value.isascii() or value.startswith("-"):
        raise UserError(
            f"`{key}` is {quote(value)}",
            "use letters, digits and . _ - , : | & * ( ) [ ] @ + = / and no blanks",
        )


def check_text(key: str, value: str) -> None:
    if not value.isprintable() or len(value) > 4096:
        raise UserError(
            f"`{key}` has a control character or is too long: {quote(value)}",
            "one line, printable, each",
        )


def check_sbatch(options: dict[str, str | int | bool], keys: frozenset[str]) -> None:
    """Other options of sbatch are those that no key of a profile sets, and that are not ours."""
    taken = _OURS | (keys - {"python", "environment"})
    for key, value in options.items():
        if not _OPTION.fullmatch(key):
            raise UserError(
                f"{quote(key)} is not an option of sbatch",
                "write it as sbatch does, without the dashes",
            )
        if key in taken or key.replace("-", "_") in taken:
            raise UserError(
                f"sbatch option {quote(key)} is not free",
                "it is set from a key of the profile, or by us",
            )
        if not isinstance(value, bool):
            check_word(f"sbatch.{key}", str(value))
