"""What a benchmark leaves: JSON without NaN, and Markdown."""

import json

import torch

from repro.bench.bench_record import markdown, record
from repro.bench.harness import Table, compare
from repro.provenance.checkout import code_state
from repro.storage.atomic import to_json
from repro.training import gpu_usage

TABLE = Table(
    "Training",
    "images/s",
    "more",
    compare({"usual": [100.0, 110.0], "ours": [150.0, 165.0]}),
    "A note.",
)


def test_the_record_says_what_was_measured_and_on_what():
    found = json.loads(json.dumps(record("cpu", True, [TABLE], load_before=0.5), allow_nan=False))
    assert (found["schema"], found["part"], found["quick"]) == (1, "cpu", True)
    assert {"processor", "processors", "torch", "load_before", "load_after"} <= set(
        found["machine"]
    )
    assert {name: found["machine"][name] for name in ("commit", "dirty")} == code_state()
    assert found["tables"][0]["lines"][1]["ratio"] == 1.5


def test_a_number_that_is_none_is_null():
    table = Table("Odd", "s", "less", compare({"a": [1.0], "b": [float("nan")]}))
    saved = json.loads(to_json(record("cpu", True, [table], 0.0)))
    assert saved["tables"][0]["lines"][1]["ratio"] is None


def test_markdown_has_a_row_a_way_and_the_machine_last():
    text = markdown([TABLE], record("cpu", True, [TABLE], 0.5)["machine"])
    assert "| ours | 157.5 | 1.50 | 1.50–1.50 | 2 |" in text
    assert "A note." in text
    assert "load 0.5 before" in text.splitlines()[-1]


def test_a_record_of_a_gpu_names_the_card_and_its_driver(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H100")
    monkeypatch.setattr(gpu_usage, "driver_version", lambda: "580.65")
    machine = record("gpu", True, [TABLE], 0.5)["machine"]
    assert (machine["gpu"], machine["driver"]) == ("H100", "580.65")
    assert markdown([TABLE], machine).splitlines()[-1].startswith("H100, driver 580.65; ")
    assert "gpu" not in record("cpu", True, [TABLE], 0.5)["machine"]
