"""Two seeds with one curve: `repro collect` and `repro diff` name both, and no verdict counts them
as two."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from experiments.cifar10 import PLAIN, RESNET
from experiments.recipes import VARIANTS
from repro.cli import cli

FIRST, SECOND, THIRD = list(RESNET[20])[:3]
LOSSES = (2.218345612, 1.517934561, 1.201583412)


def repro(*words: str) -> Result:
    return CliRunner().invoke(
        cli, words, prog_name="repro", standalone_mode=False, catch_exceptions=False
    )


def curve(shift: float = 0.0, since: int = 0) -> list[dict[str, float]]:
    """Three points, which `shift` makes another run's from the point `since` on."""
    shifts = [shift if at >= since else 0.0 for at in range(len(LOSSES))]
    return [
        {"train_loss": loss + moved, "test_error": 10 * loss + moved, "train_error": 9.0}
        for loss, moved in zip(LOSSES, shifts, strict=True)
    ]


@pytest.fixture
def doubled(finished):
    """Three seeds, of which the second is the first under another name."""
    finished(FIRST, curve(), test_error=8.7, train_error=0.6)
    finished(SECOND, curve(), test_error=8.7, train_error=0.6)
    finished(THIRD, curve(0.01), test_error=8.8, train_error=0.6)


def test_collect_warns_and_names_both(places, doubled):
    said = repro("collect")
    assert said.stderr == (
        f"Warning: runs/{SECOND.id}: the first 3 points of its curve equal those of runs/{FIRST.id} to the digit: "
        "they are no independent seeds, and no mean or verdict counts both\n"
    )
    assert said.return_value == 0
    assert repro("collect", "--strict").return_value == 1
    assert (
        "0 folders read, 3 unchanged" in repro("collect").stdout
    )  # what is kept gives the same warning
    assert SECOND.id in repro("collect").stderr


def test_a_run_trained_on_from_another_seeds_checkpoint_is_named_too(places, finished):
    finished(FIRST, curve(), test_error=8.7)
    finished(SECOND, curve(0.02, since=2), test_error=8.9)
    assert (
        f"the first 2 points of its curve equal those of runs/{FIRST.id}" in repro("collect").stderr
    )


def test_diff_names_both_and_bars_the_row_from_a_verdict(places, doubled):
    said = repro("diff", "table6", "figure6", "--json", "--fail-on", "")
    found = json.loads(said.stdout)
    (row,) = [
        row for row in found["rows"] if (row["row"], row["metric"]) == ("ResNet-20", "test_error")
    ][:1]
    assert row["verdict"] == "not comparable"
    assert row["ours_mean"] is None
    assert any(
        "seeds 0 and 1 of resnet-20 have the same curve to the digit" in reason
        for reason in row["reasons"]
    )
    assert [problem["folder"] for problem in found["problems"]] == [f"runs/{SECOND.id}"]
    text = " ".join(repro("diff", "table6", "--fail-on", "").stdout.split())
    assert "1 folder with problems." in text
    assert "no mean or verdict counts both" in text


def test_diff_does_not_test_a_claim_with_them(places, doubled, finished):
    for run in list(RESNET[32])[:3]:
        finished(run, curve(0.1 * (run.seed + 1)), test_error=7.0, train_error=0.1)
    said = repro("diff", "figure6", "--json", "--fail-on", "").stdout
    assert "test_error: seeds 0 and 1 of resnet-20 have the same curve to the digit" in said


def test_a_table_averages_none_of_them(places, doubled):
    table = json.loads(repro("table", "table6", "--format", "json").stdout)
    assert "8.73" not in json.dumps(table)


def test_asked_for_alone_a_seed_counts(places, doubled):
    rows = json.loads(repro("diff", "table6", "--seeds", "1", "--json", "--fail-on", "").stdout)[
        "rows"
    ]
    errors = {row["row"]: row["ours_mean"] for row in rows if row["metric"] == "test_error"}
    assert errors["ResNet-20"] == 8.7


def test_the_same_beginning_in_another_recipe_net_or_data_is_no_twin(places, finished):
    finished(FIRST, curve(), test_error=8.7)
    finished(VARIANTS["plateau"](FIRST), curve(), test_error=8.7)
    finished(PLAIN[20].run, curve(), test_error=8.7)
    assert repro("collect").stderr == ""
