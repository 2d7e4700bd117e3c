"""The processor of this machine: its name, and whether it computes in bfloat16. Imports no torch.

Without instructions for bfloat16 a processor computes it with those for fp32 and converts every
number twice. That took 4 to 14 times as long as fp32 itself: 3×3 convolutions, one thread,
oneDNN 3 limited to AVX-512 and to AVX2. `repro doctor` measures it on the machine at hand.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from repro.definition.run import Run

CPUINFO = Path("/proc/cpuinfo")
IN_FP32 = (
    "`--set precision=fp32`, which makes other runs, with other ids; "
    "`table`, `figure` and `diff` show them with the same option"
)
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # the last is what ARM calls it

# What oneDNN may be limited to by hand that lacks bfloat16.
_LIMITS = {"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX512_CORE", "AVX512_CORE_VNNI"}


def processor_name() -> str:
    """Return the processor's name, as it calls itself."""
    return _values("model name")[0] or platform.processor() or platform.machine()


def computes_bf16() -> bool | None:
    """Return whether the processor has instructions for bfloat16; None where that is not known."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or ""
    if limit.upper() in _LIMITS:
        return False
    flags = " ".join(_values("flags", "Features")).split()  # of x86 and of ARM
    if not flags:
        return None
    return not BF16_FLAGS.isdisjoint(flags)


def sees_a_gpu() -> bool:
    """Return whether a GPU is visible here, as far as can be known without torch."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1"):
        return False
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/kfd").exists()


def trains_on_cpu(device: str | None) -> bool:
    """Return whether training goes to the processor, on the device given or what there is."""
    wanted = device or os.environ.get("REPRO_DEVICE")
    return wanted.startswith("cpu") if wanted else not sees_a_gpu()


def in_bf16(runs: Sequence[Run]) -> list[Run]:
    """Return those of the runs that compute in bfloat16."""
    return [run for run in runs if run.recipe.precision == "bf16"]


def _values(*keys: str) -> list[str]:
    """Return the first processor's value of each key in `/proc/cpuinfo`; empty if missing."""
    values = dict.fromkeys(keys, "")
    with contextlib.suppress(OSError), CPUINFO.open(errors="replace") as file:
        for line in file:
            key, colon, value = line.partition(":")
            if not colon:
                break  # a blank line ends the first processor; the others are like it
            if key.strip() in values:
                values[key.strip()] = value.strip()
    return list(values.values())
