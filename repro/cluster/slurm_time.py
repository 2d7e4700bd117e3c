"""Times as SLURM writes them: `90` is minutes, and `2-12:00:00` two and a half days."""

from __future__ import annotations

import re

from repro.errors import UserError, quote

LONGEST = 365 * 24 * 60  # minutes

_CLOCK = re.compile(r"(?:(?P<days>[0-9]{1,3})-)?(?P<rest>[0-9]{1,4}(?::[0-9]{1,2}){0,2})")


def parse_time(text: str | int) -> int:
    """Return minutes from SLURM's own forms.

    They are `90`, `30:00` (minutes and seconds), `1:30:00`, `2-12` and `2-12:00:00`.
    """
    match = _CLOCK.fullmatch(str(text))
    if not match:
        raise not_a_time(text)
    numbers = [int(part) for part in match["rest"].split(":")]
    has_days = match["days"] is not None
    has_hours = has_days or len(numbers) == 3
    if not has_hours:
        numbers.insert(0, 0)
    hours, minutes, seconds = [*numbers, 0, 0][:3]
    if seconds > 59 or (has_hours and minutes > 59) or (has_days and hours > 23):
        raise UserError(
            f"{quote(text)} is not a time", "minutes and seconds go to 59, hours after days to 23"
        )
    total = int(match["days"] or 0) * 1440 + hours * 60 + minutes + (seconds > 0)
    if not 1 <= total <= LONGEST:
        raise UserError(f"{quote(text)} is not a time limit", "it is one minute to 365 days")
    return total


def format_time(minutes: int) -> str:
    """Return a time as SLURM shows it: 1-12:00:00."""
    days, rest = divmod(minutes, 1440)
    clock = f"{rest // 60:02}:{rest % 60:02}:00"
    return f"{days}-{clock}" if days else clock


def not_a_time(value: object) -> UserError:
    return UserError(
        f"{quote(value)} is not a time", "write minutes (`90`), `1:30:00` or `2-12:00:00`"
    )
