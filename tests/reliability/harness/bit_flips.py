"""Bytes that are not what was written."""

from __future__ import annotations

import random
from pathlib import Path

from repro.analysis.runs import run_record
from repro.storage import metrics_file
from repro.training import checkpoint
from tests.reliability.harness.trial import Figures, folder_of, untouched


def flips(folder: Path, count: int = 500, seed: int = 0) -> Figures:
    """Flip bits of a checkpoint, cut it, zero pages of it: it must be seen, and the previous one
    used."""
    chance, found = random.Random(seed), folder_of(untouched(folder))
    whole, before = found.checkpoint.read_bytes(), checkpoint.find_checkpoint(found)
    assert before is not None
    tally = {"bits_flipped": 0, "cuts": 0, "pages_zeroed": 0, "detected": 0, "previous_used": 0}
    for _ in range(count):
        for kind in ("bits_flipped", "cuts", "pages_zeroed"):
            if kind != "bits_flipped" and tally[kind] >= count // 10:
                continue
            content = spoiled(whole, kind, chance)
            if content == whole:
                continue
            found.checkpoint.write_bytes(content)
            tally[kind] += 1
            after = checkpoint.find_checkpoint(found)
            tally["detected"] += after is not None and bool(after.damaged)
            tally["previous_used"] += (
                after is not None and after.state["iteration"] == before.state["iteration"] - 1
            )
    found.checkpoint.write_bytes(whole)
    return tally


def rows(folder: Path) -> Figures:
    """Cut a metrics file at every byte and flip each of its bits; both wings read what is left."""
    found = folder_of(untouched(folder))
    whole = found.metrics.read_bytes()
    right = [told(row) for row in metrics_file.read_valid_prefix(whole)[0]]
    cuts = [whole[:size] for size in range(len(whole) + 1)]
    flipped = [
        whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
        for at in range(len(whole))
        for bit in range(8)
    ]
    wrong = 0
    for content in cuts + flipped:
        wrong += sum(told(row) not in right for row in metrics_file.read_valid_prefix(content)[0])
        found.metrics.write_bytes(content)
        record = run_record.read_run(found)
        columns = zip(*(record[f"curve.{name}"] for name in metrics_file.CURVE), strict=True)
        wrong += sum(str(row) not in right for row in columns)
    found.metrics.write_bytes(whole)
    return {"bytes_cut_at": len(cuts), "bits_flipped": len(flipped), "wrong_rows": wrong}


def spoiled(content: bytes, kind: str, chance: random.Random) -> bytes:
    at = chance.randrange(len(content))
    if kind == "cuts":
        return content[:at]
    if kind == "pages_zeroed":
        page = at // 4096 * 4096
        return content[:page] + bytes(len(content[page : page + 4096])) + content[page + 4096 :]
    flipped = bytearray(content)
    flipped[at] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def told(row: metrics_file.MetricsRow) -> str:
    """Return a row's values as one text, in which NaN equals NaN."""
    return str(tuple(getattr(row, name) for name in metrics_file.CURVE))
