"""What a name may be, and how large a number: typing errors are refused before a run begins."""

from __future__ import annotations

import re

from repro.errors import UserError, quote

# More would be a typing error, fill any memory, or never end. In parentheses: the paper's largest.
LARGEST_BATCH = 65_536  # (256)
LARGEST_COUNT = 10_000_000  # iterations (600,000)
LARGEST_DEPTH = 9_998  # of CIFAR's nets (1202)
LARGEST_SIDE = 4_096  # pixels (640)
MOST_CLASSES = 100_000  # (1000)
MOST_DROPS = 100  # (3)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str, what: str) -> str:
    """Return the name, if it may become part of a file name or a job name."""
    if not _NAME.fullmatch(name) or ".." in name or name.endswith("."):
        raise UserError(
            f"{quote(name)} is not a name for {what}", "use 1 to 64 of A–Z a–z 0–9 . _ -"
        )
    return name


def check_at_most(largest: int, what: str, value: int) -> None:
    """Refuse a value above the largest; `what` is the field's path, or a phrase."""
    if value <= largest:
        return
    is_phrase = " " in what
    subject = what if is_phrase else f"`{what}`"
    raise UserError(f"{subject} is {quote(value)}", f"it may be {largest:,} at most")
