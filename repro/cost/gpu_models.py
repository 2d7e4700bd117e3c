"""GPUs by the names that clusters give them in their GRES: their architecture and memory."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class GpuModel:
    """A kind of GPU."""

    capability: int  # 80 is sm_80
    memory: int  # GB, of the smallest that is sold under the name


_NAMED = {
    "k80": GpuModel(37, 12),
    "p100": GpuModel(60, 12),
    "v100": GpuModel(70, 16),
    "t4": GpuModel(75, 16),
    "a100": GpuModel(80, 40),
    "a30": GpuModel(80, 24),
    "a10": GpuModel(86, 24),
    "a40": GpuModel(86, 48),
    "a6000": GpuModel(86, 48),
    "l4": GpuModel(89, 24),
    "l40": GpuModel(89, 48),
    "l40s": GpuModel(89, 48),
    "h100": GpuModel(90, 80),
    "h200": GpuModel(90, 141),
    "gh200": GpuModel(90, 96),
    "b200": GpuModel(100, 180),
    "gb200": GpuModel(100, 186),
}


def gpu_model(gres: str) -> GpuModel | None:
    """Return the card that a GRES type names: `a100`, `nvidia_h100_80gb_hbm3`, `a100_1g.5gb`."""
    words = re.split(r"[_.-]", gres.lower())
    known = next((_NAMED[word] for word in words if word in _NAMED), None)
    sizes = [int(word.removesuffix("gb")) for word in words if re.fullmatch(r"[0-9]{1,3}gb", word)]
    return GpuModel(known.capability, sizes[-1]) if known and sizes else known
