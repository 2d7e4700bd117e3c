"""How fast this machine computes in each precision: one convolution, timed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from repro.cluster.preflight.doctor_line import Check, Checks
from repro.provenance.processor import IN_FP32

SIZES = {"count": 32, "channels": 16, "side": 32}  # a convolution of ResNet-20's first stage
TURNS = 2  # of about 0.3 s for each precision
SLOW = 1.5  # bf16 may take so many times as long as fp32 before it is worth a word


def precisions() -> Checks:
    """Time the convolution on the processor, and on the GPU where there is one."""
    if find_spec("torch") is None:
        return
    import torch

    yield judged("precision", rates("cpu", "fp32", "bf16"))
    if torch.cuda.is_available():
        yield judged("precision", rates("cuda", "fp32", "tf32", "bf16"), "on the GPU, ")


def rates(device: str, *names: str) -> dict[str, float]:
    """Return the GFLOP/s of the convolution in each precision, on one thread."""
    import torch

    from repro.bench.roofline import convolution

    jobs = {name: convolution(name, device, **SIZES) for name in names}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine several threads wait for each other
    best = dict.fromkeys(names, 0.0)
    try:
        # They take turns, and the best counts: what disturbs one of them disturbs all.
        best = dict.fromkeys(names, 0.0)
        for _ in range(TURNS):
            for name, job in jobs.items():
                best[name] = max(best[name], job())
    finally:
        torch.set_num_threads(threads)
    return best


def judged(check: str, found: Mapping[str, float], where: str = "") -> Check:
    """Return the check that says how much faster or slower each precision is than fp32."""
    words = [f"{where}one convolution, one thread: fp32 {found['fp32']:.0f} GFLOP/s"]
    for name, rate in found.items():
        if name != "fp32":
            words.append(f"{name} {_compared(rate / found['fp32'])}")
    if found["bf16"] * SLOW >= found["fp32"]:
        return Check(check, "ok", "; ".join(words))
    return Check(check, "warning", "; ".join(words), f"for scale `quick`: {IN_FP32}")


def _compared(ratio: float) -> str:
    if ratio >= 1:
        return f"{ratio:.1f} times as fast"
    return f"{1 / ratio:.1f} times as slow"
