"""GPUs by the names that clusters give them in their GRES: what a build of torch needs to know, and how much fits."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """A kind of GPU."""

    capability: int  # 80 is sm_80
    memory: int  # GB, of the smallest that is sold under the name


_NAMED = {
    "k80": Card(37, 12),
    "p100": Card(60, 12),
    "v100": Card(70, 16),
    "t4": Card(75, 16),
    "a100": Card(80, 40),
    "a30": Card(80, 24),
    "a10": Card(86, 24),
    "a40": Card(86, 48),
    "a6000": Card(86, 48),
    "l4": Card(89, 24),
    "l40": Card(89, 48),
    "l40s": Card(89, 48),
    "h100": Card(90, 80),
    "h200": Card(90, 141),
    "gh200": Card(90, 96),
    "b200": Card(100, 180),
    "gb200": Card(100, 186),
}


def card(gres: str) -> Card | None:
    """The card that a GRES type names: `a100`, `nvidia_h100_80gb_hbm3`, or a slice of one, `a100_1g.5gb`."""
    words = re.split(r"[_.-]", gres.lower())
    known = next((_NAMED[word] for word in words if word in _NAMED), None)
    sizes = [int(word.removesuffix("gb")) for word in words if re.fullmatch(r"[0-9]{1,3}gb", word)]
    return Card(known.capability, sizes[-1]) if known and sizes else known
