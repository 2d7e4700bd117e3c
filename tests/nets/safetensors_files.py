"""A `.safetensors` file, written from the format's description without any code of `repro`."""

from __future__ import annotations

import json
from pathlib import Path

import torch

NAMES = {
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float64: "F64",
    torch.int64: "I64",
}


def safetensors_bytes(state: dict[str, torch.Tensor], header: dict | None = None) -> bytes:
    content, entries = b"", {"__metadata__": {"format": "pt"}}
    for name, value in state.items():
        raw = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        place = [len(content), len(content) + len(raw)]
        entries[name] = {
            "dtype": NAMES[value.dtype],
            "shape": list(value.shape),
            "data_offsets": place,
        }
        content += raw
    text = json.dumps(entries if header is None else header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content


def write_safetensors(path: Path, state: dict[str, torch.Tensor]) -> Path:
    path.write_bytes(safetensors_bytes(state))
    return path
