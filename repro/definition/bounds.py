"""What a name may be, and how large a number: beyond lies a slip of the pen, told here and not hours later."""

from __future__ import annotations

import re

from repro.errors import UserError, quote

# More of these would be a slip of the pen, fill any memory, or never end. The paper's largest are in parentheses.
LARGEST_BATCH = 65_536  # (256)
LARGEST_COUNT = 10_000_000  # iterations (600,000)
LARGEST_DEPTH = 9_998  # of CIFAR's nets (1202)
LARGEST_SIDE = 4_096  # pixels (640)
MOST_CLASSES = 100_000  # (1000)
MOST_DROPS = 100  # (3)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str, what: str) -> str:
    """The name, if it is one that may become part of a file name or a job name."""
    if not _NAME.fullmatch(name) or ".." in name or name.endswith("."):
        raise UserError(
            f"{quote(name)} is not a name for {what}", "use 1 to 64 of A–Z a–z 0–9 . _ -"
        )
    return name


def check_at_most(largest: int, what: str, value: int) -> None:
    if value > largest:
        said = what if " " in what else f"`{what}`"
        raise UserError(f"{said} is {quote(value)}", f"it may be {largest:,} at most")
