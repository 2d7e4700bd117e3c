"""Several labs with one row, from `publish` to the report: five made-up ones beside ours, and a forged sixth."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from experiments.cifar10 import RESNET
from repro.analysis.runs.run_frames import collect
from repro.cli import cli
from repro.storage.atomic import read_json, to_json
from repro.storage.paths import Folder, Places

SEEDS = list(RESNET[20])
# True means, spreads and counts differ; the paper has 8.75.
LABS = {
    "kyoto": [9.12, 8.95, 9.05, 9.21, 9.02],
    "recife": [8.31, 8.42, 8.38],
    "lagos": [8.93, 8.52],
    "delft": [8.71],
    "pune": [8.55, 8.61, 8.58, 8.49],
}
OURS = [8.60, 8.66, 8.79, 8.81, 8.69]
LINE = r"table6 ResNet-20 test_error: (\S+) vs 8\.75 (\w+) \(6 labs; n=20; s_r=(\S+); s_L=(\S+); s_R=(\S+)\)"


def repro(*words: str) -> Result:
    return CliRunner().invoke(
        cli, words, prog_name="repro", standalone_mode=False, catch_exceptions=False
    )


def row_of(document: dict[str, Any]) -> dict[str, Any]:
    [row] = [
        row
        for row in document["rows"]
        if (row["row"], row["metric"]) == ("ResNet-20", "test_error")
    ]
    return row


def diff_row() -> dict[str, Any]:
    return row_of(json.loads(repro("diff", "table6", "--json").stdout))


@pytest.fixture
def contribute(places: Places, believable) -> Callable[[str, list[float]], Result]:
    """Train and publish as the people of a lab would: `contribute("kyoto", [9.1, 8.9])`."""

    def publish(
        lab: str, errors: list[float], change: Callable[[Folder], None] | None = None
    ) -> Result:
        kept = places.runs.with_name("ours")
        if places.runs.exists():
            places.runs.rename(kept)
        for run, error in zip(SEEDS, errors, strict=False):
            folder = believable(run, error)
            if change:
                change(folder)
        about = ("--lab-name", f"The group in {lab}", "--contact", f"https://{lab}.example.org")
        done = repro("publish", "table6", "--only", "resnet-20", "--lab", lab, *about)
        shutil.rmtree(places.runs)
        if kept.exists():
            kept.rename(places.runs)
        return done

    return publish


@pytest.fixture
def six_labs(places: Places, believable, contribute) -> Places:
    """Five labs that contributed records, and ours."""
    for run, error in zip(SEEDS, OURS, strict=True):
        believable(run, error)
    for lab, errors in LABS.items():
        done = contribute(lab, errors)
        assert len(done.stdout.splitlines()) == len(errors), done.stderr
    assert repro("check-record").return_value == 0
    return places


def variances() -> tuple[float, float]:
    """Return s_r² and s_L² as the expectations of the mean squares demand, from matrices."""
    groups = [OURS, *LABS.values()]
    values = np.concatenate(groups)
    member = np.repeat(np.eye(len(groups)), [len(group) for group in groups], axis=0)
    to_means = member @ np.linalg.pinv(member)
    everything = np.ones((len(values), len(values))) / len(values)
    within, between = np.eye(len(values)) - to_means, to_means - everything
    of_seeds = values @ within @ values / np.trace(within)
    shared = np.trace(between @ member @ member.T)
    of_labs = (values @ between @ values - of_seeds * np.trace(between)) / shared
    return of_seeds, of_labs


def test_collect_has_every_lab_and_says_how_many_runs(six_labs):
    collected = collect(six_labs)
    assert collected.problems == ()
    assert {lab: len(frames.finals) for lab, frames in collected.labs.items()} == {
        lab: len(errors) for lab, errors in LABS.items()
    }
    said = repro("collect").stdout
    assert said.startswith("5 runs (5 done)")
    assert "of other labs: delft 1, kyoto 5, lagos 2, pune 4, recife 3\n" in said


def test_diff_judges_the_mean_of_the_labs_means_and_shows_both_spreads(six_labs):
    row = diff_row()
    labs = row["labs"]
    within, between = variances()
    means = [float(np.mean(errors)) for errors in (OURS, *LABS.values())]
    assert (labs["count"], labs["n"], row["n"]) == (6, 20, 5)
    assert labs["mean"] == pytest.approx(np.mean(means))
    assert row["ours_mean"] == pytest.approx(np.mean(OURS))
    assert labs["repeatability_std"] == pytest.approx(within**0.5)
    assert labs["between_labs_std"] == pytest.approx(between**0.5)
    assert labs["reproducibility_std"] == pytest.approx((within + between) ** 0.5)
    assert labs["between_labs_low"] < labs["between_labs_std"] < labs["between_labs_high"]
    alone = {one["lab"]: one["verdict_alone"] for one in labs["each"]}
    assert (alone["kyoto"], alone["ours"], row["verdict"]) == (
        "consistent",
        "reproduced",
        "consistent",
    )
    # One more lab may be as far off as these are: more than our seeds alone would say.
    assert row["low"] < 8.2
    assert row["high"] > 9.2


def test_diff_has_one_line_for_the_row_and_says_whose_runs_they_are(six_labs):
    text = repro("diff", "table6").stdout
    found = re.search(LINE, text.replace("\n  ", " "))
    assert found, text
    assert found[1] == f"{diff_row()['labs']['mean']:.2f}"
    in_words = " ".join(text.split())
    assert "1 number is of several labs (ours, delft, kyoto, lagos, pune, recife)" in in_words
    verbose = " ".join(repro("diff", "table6", "--verbose").stdout.split())
    assert "recife 8.37 ± 0.06 (n = 3), alone: " in verbose
    assert "6 labs could show a difference of" in verbose


def test_the_table_has_the_spreads_in_every_format(six_labs):
    text = repro("table", "table6").stdout
    [line] = [line for line in text.splitlines() if "(6 labs, n = 20)" in line]
    within, between = variances()
    assert f"{within**0.5:.2f}" in line
    assert f"{between**0.5:.2f}" in line
    assert line.startswith("ResNet-20 ")
    assert max(map(len, text.splitlines())) <= 80
    assert "standard deviations of ISO 5725-2" in " ".join(text.split())
    assert "kyoto 9.07 ± 0.10 (n = 5)" in " ".join(text.split())
    row = row_of(json.loads(repro("table", "table6", "--json").stdout))
    assert row["between_labs_std"] == pytest.approx(between**0.5)
    lines = csv.DictReader(io.StringIO(repro("table", "table6", "--format", "csv").stdout))
    [cells] = [one for one in lines if (one["row"], one["metric"]) == ("ResNet-20", "test_error")]
    assert (cells["labs"], cells["labs_n"]) in (("6", "20"), ("6.0", "20.0"))
    for form in ("md", "latex", "html"):
        assert "(6 labs, n = 20)" in repro("table", "table6", "--format", form).stdout


def test_the_report_shows_them_and_how_each_lab_is_reached(six_labs):
    assert repro("report", "--scale", "paper").return_value in (None, 0)
    page = six_labs.report.read_text()
    assert "(6 labs, n = 20)" in page
    assert re.search(r"± 0.28 \(6 labs, n = 20\)", page)  # where the curves of Figure 6 end
    assert "The group in kyoto, https://kyoto.example.org" in page
    assert "kyoto: resnet-20" in page
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_a_sixth_lab_with_a_forged_record_is_refused_with_the_reason(six_labs, contribute):
    def lower_the_error(folder: Folder) -> None:
        final = read_json(folder.final)
        final["metrics"] |= {"test_error": 6.61, "best_test_error": 6.61}
        folder.final.write_bytes(to_json(final))

    before = diff_row()
    refused = contribute("forger", [9.4], lower_the_error)
    assert (refused.stdout, refused.return_value) == ("", 1)
    assert "final.json has test_error 6.61, the last point of its curve 9.4" in refused.stderr
    assert not (six_labs.labs / "forger").exists()
    assert diff_row() == before


def test_a_record_forged_after_it_was_published_changes_no_number(six_labs):
    before = diff_row()
    folder = Folder(six_labs.labs / "kyoto" / SEEDS[0].id)
    final = read_json(folder.final)
    final["metrics"]["test_error"] = 6.61
    folder.final.write_bytes(to_json(final))
    checked = repro("check-record", str(six_labs.labs))
    assert checked.return_value == 1
    assert f"kyoto/{SEEDS[0].id}: " in checked.stdout
    after = diff_row()
    assert (before["labs"]["n"], after["labs"]["n"]) == (20, 19)
    assert any(SEEDS[0].id in problem.folder for problem in collect(six_labs).problems)


def test_a_lab_on_other_images_is_left_out_with_the_reason(six_labs, places, finished):
    finished(SEEDS[0], test_error=7.0, lab="jpeg", data={"hash": "0b" * 32})
    labs = diff_row()["labs"]
    assert labs["count"] == 6
    assert labs["left_out"] == ["jpeg is left out: other data hash than the first lab's"]


def test_a_lab_that_has_our_runs_to_the_digit_adds_nothing(six_labs, contribute):
    before = diff_row()["labs"]
    contribute("echo", OURS[:2])
    after = diff_row()["labs"]
    assert after["left_out"] == [
        "echo: 2 of its runs equal those of another lab to the digit, and count once"
    ]
    assert after["each"] == before["each"]


def test_with_one_lab_nothing_changes(places, believable):
    for run, error in zip(SEEDS, OURS, strict=True):
        believable(run, error)
    row = diff_row()
    assert "labs" not in row
    assert row["verdict"] == "reproduced"
    assert "all labs" not in repro("table", "table6").stdout
    assert "labs" not in repro("table", "table6", "--format", "csv").stdout.splitlines()[0]


def test_another_labs_number_alone_is_told_and_judged_by_nobody(contribute):
    contribute("kyoto", LABS["kyoto"])
    row = diff_row()
    assert (row["verdict"], row["ours_mean"], "labs" in row) == ("missing", None, False)
    assert "kyoto 9.07 ± 0.10 (n = 5)" in row["reasons"]


def test_two_other_labs_are_judged_without_ours(contribute):
    contribute("kyoto", LABS["kyoto"])
    contribute("recife", LABS["recife"])
    row = diff_row()
    assert (row["verdict"], row["n"], row["labs"]["count"]) == ("consistent", 0, 2)


def test_seeds_of_ours_that_have_not_finished_keep_the_row_incomplete(believable, contribute):
    for run, error in zip(SEEDS[:3], OURS, strict=False):
        believable(run, error)
    contribute("kyoto", LABS["kyoto"])
    row = diff_row()
    assert row["verdict"] == "incomplete"
    assert row["reasons"][:2] == ["3 of 5 seeds have finished", "so far: consistent"]


def test_a_run_of_ours_that_diverged_is_worse_whatever_other_labs_got(
    believable, diverged, contribute
):
    for run, error in zip(SEEDS[:4], OURS, strict=False):
        believable(run, error)
    diverged(SEEDS[4])
    contribute("kyoto", LABS["kyoto"])
    row = diff_row()
    assert row["verdict"] == "worse"
    assert "the mean of 2 labs alone: consistent" in row["reasons"]


def test_what_is_compared_with_other_numbers_is_ours_alone(six_labs, tmp_path):
    file = tmp_path / "theirs.csv"
    file.write_text("experiment,row,metric,value\ntable6,ResNet-20,test_error,8.7\n")
    document = json.loads(repro("diff", "table6", "--against", str(file), "--json").stdout)
    assert "labs" not in row_of(document)
