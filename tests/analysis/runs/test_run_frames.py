"""What is on disk becomes frames: everything that can be trusted, and a word about everything that
cannot."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pandas as pd
import pytest

from experiments import figure1, table6
from experiments.cifar10 import PLAIN, RESNET
from experiments.scales import SCALES
from repro.analysis.runs.frame_cache import read_runs, save
from repro.analysis.runs.run_frames import collect, scale_with_results
from repro.analysis.runs.run_set import differing_columns
from repro.storage import metrics_file
from repro.storage.atomic import to_json

RUN, OTHER = list(RESNET[20])[:2]
SMOKE = SCALES["smoke"]


def problems(places) -> dict[str, str]:
    return {problem.folder.split("/")[1]: problem.problem for problem in collect(places).problems}


def test_without_any_runs_the_frames_are_empty_but_have_their_columns(places):
    found = collect(places)
    assert found.runs.empty
    assert {"id", "state", "seed", "data_hash"} <= set(found.runs)
    assert {"id", "iteration", "test_error"} <= set(found.points)
    assert {"id", "layer", "response"} <= set(found.responses)


def test_a_finished_run_has_its_definition_its_metrics_and_its_provenance(places, finished):
    finished(RUN, test_error=8.7, train_error=0.6)
    (row,) = collect(places).finals.to_dict("records")
    assert (row["id"], row["net"], row["depth"], row["seed"]) == (RUN.id, "resnet-20", 20, 0)
    assert (row["test_error"], row["train_error"]) == (8.7, 0.6)
    assert (row["torch"], row["data_hash"], row["train_images"]) == ("2.11.0", "da7a", 50_000)


def test_a_curve_has_a_row_for_each_point(places, finished):
    finished(RUN, [{"test_error": 20.0, "rate": 0.1}, {"test_error": 10.0, "rate": 0.01}])
    points = collect(places).points
    assert points["iteration"].tolist() == [1000, 2000]
    assert points["test_error"].tolist() == [20.0, 10.0]
    assert set(points["id"]) == {RUN.id}


def test_responses_have_a_row_for_each_layer(places, finished):
    finished(RUN, responses=[2.0, 1.5, 1.0])
    assert collect(places).responses[["layer", "response"]].values.tolist() == [
        [1, 2.0],
        [2, 1.5],
        [3, 1.0],
    ]


def test_a_run_that_has_not_finished_has_a_curve_and_no_final(places, write_run):
    write_run(RUN, [30.0, 20.0])
    found = collect(places)
    assert found.finals.empty
    assert found.runs[["state", "reached"]].values.tolist() == [["unfinished", 2000]]
    assert len(found.points) == 2


def test_a_run_that_diverged_says_when(places, diverged):
    diverged(RUN, iteration=1234)
    (row,) = collect(places).runs.to_dict("records")
    assert (row["state"], row["failed_at"]) == ("diverged", 1234)
    assert row["failure"] == "the loss became NaN at iteration 1234"


def test_a_number_that_is_not_finite_is_named_and_not_lost(places, finished):
    folder = finished(
        RUN, [{"train_loss": math.inf, "test_error": math.nan}], test_error=None, train_error=1.0
    )
    found = collect(places)
    assert [list(names) for names in found.runs["not_finite"]] == [["test_error"]]
    assert found.points["train_loss"].tolist() == [math.inf]
    assert b"NaN" not in folder.metrics.read_bytes()


def test_a_torn_line_is_dropped_and_the_rest_kept(places, finished):
    folder = finished(RUN, [30.0, 20.0, 10.0], test_error=10.0)
    folder.metrics.write_bytes(folder.metrics.read_bytes()[:-9])
    assert collect(places).points["test_error"].tolist() == [30.0, 20.0]
    assert problems(places) == {RUN.id: "a torn tail of 1 line dropped from metrics.jsonl"}


@pytest.mark.parametrize("at", range(0, 400, 17))
def test_a_curve_cut_at_any_byte_is_read_up_to_there(places, finished, at):
    folder = finished(RUN, [30.0, 20.0, 10.0, 9.0, 8.0], test_error=8.0)
    whole = folder.metrics.read_bytes()
    folder.metrics.write_bytes(whole[:at])
    assert (
        collect(places).points["test_error"].tolist()
        == [30.0, 20.0, 10.0, 9.0, 8.0][: whole[:at].count(b"\n")]
    )


def test_a_damaged_line_in_the_middle_is_reported_and_not_believed(places, finished):
    folder = finished(RUN, [30.0, 20.0, 10.0], test_error=10.0)
    folder.metrics.write_bytes(folder.metrics.read_bytes().replace(b"20.0", b"21.0"))
    assert collect(places).points["test_error"].tolist() == [30.0, 10.0]
    assert problems(places) == {RUN.id: "line 2 of metrics.jsonl damaged"}


def test_folders_that_are_no_runs_are_named(places, finished):
    finished(RUN, test_error=8.7)
    (places.runs / "holiday").mkdir()
    assert problems(places) == {"holiday": "not a run: it has no run.json"}
    assert len(collect(places).runs) == 1


def test_a_damaged_definition_is_named(places, finished):
    finished(RUN).definition.write_text("{")
    assert problems(places) == {RUN.id: "run.json is damaged: not JSON"}


def test_a_definition_of_a_newer_version_is_named(places, finished):
    folder = finished(RUN)
    folder.definition.write_bytes(
        to_json(json.loads(folder.definition.read_bytes()) | {"sharpness": 2})
    )
    assert "unknown `sharpness`" in problems(places)[RUN.id]
    assert "newer version" in problems(places)[RUN.id]


def test_a_final_record_of_a_newer_version_is_named(places, finished):
    folder = finished(RUN)
    folder.final.write_bytes(to_json(json.loads(folder.final.read_bytes()) | {"schema": 2}))
    assert (
        problems(places)[RUN.id]
        == "final.json was written by a newer version (schema 2); update this one"
    )


def test_a_final_record_of_another_run_is_named(places, finished):
    shutil.copy(finished(OTHER).final, finished(RUN).final)
    assert problems(places) == {RUN.id: "final.json is of another run than run.json"}


@pytest.mark.parametrize("content", ["[]", "{}", '{"metrics": 3}', "[" * 100_000])
def test_a_final_record_of_another_shape_is_named(places, finished, content):
    finished(RUN).final.write_text(content)
    assert problems(places)[RUN.id].startswith("final.json is damaged: ")
    assert collect(places).finals.empty


@pytest.mark.parametrize("name", ["net", "seed", "state", "reached"])
def test_a_metric_with_the_name_of_a_column_is_named_and_stops_nothing(places, finished, name):
    finished(RUN, **{name: 8.7})
    finished(OTHER, test_error=8.7)
    assert problems(places) == {RUN.id: f"its metric `{name}` has the name of a column"}
    assert list(collect(places).finals["id"]) == [OTHER.id]


def test_a_point_at_an_impossible_iteration_is_not_believed(places, finished):
    folder = finished(RUN, [{"test_error": 9.0}, {"iteration": 2**70, "test_error": 1.0}])
    assert problems(places)[folder.path.name].endswith("dropped from metrics.jsonl")
    assert list(collect(places).points["test_error"]) == [9.0]


def test_another_runs_folder_under_a_runs_name_is_named_and_not_counted(places, finished):
    folder = finished(RUN, test_error=8.7)
    shutil.copytree(folder.path, places.run(OTHER.id).path)
    said = f"the folder has the name of one run and holds another, `{RUN.id}`"
    assert problems(places) == {OTHER.id: said}
    assert collect(places).finals["id"].tolist() == [RUN.id]


def test_a_run_is_what_its_definition_says_and_not_its_folder(places, finished):
    finished(RUN, name="my-best-run", test_error=8.7)
    assert collect(places).finals["id"].tolist() == [RUN.id]


def test_a_published_copy_that_is_equal_is_not_mentioned(places, finished):
    finished(RUN, [9.0], test_error=9.0)
    finished(RUN, [9.0], published=True, test_error=9.0)
    found = collect(places)
    assert (len(found.runs), len(found.points), found.problems) == (1, 1, ())


def test_what_is_kept_has_one_row_for_a_run_that_is_published_too_the_one_that_tables_show(
    places, finished
):
    finished(RUN, [9.0], test_error=9.0)
    finished(RUN, [9.0], published=True, test_error=9.1)
    finished(OTHER, published=True, test_error=8.0)
    (places.runs / "holiday").mkdir()
    found = [(collect(places), pd.read_parquet(places.frame)) for _ in range(2)]
    for collected, kept in found:
        assert dict(zip(kept["id"], kept["metric.test_error"], strict=True)) == {
            RUN.id: 9.0,
            OTHER.id: 8.0,
        }
        assert kept["place"].tolist() == collected.runs["place"].tolist()
        assert len(collected.problems) == 2
    assert [collected.opened for collected, _ in found] == [4, 0]


@pytest.mark.parametrize("lost", ["frame", "copies"])
def test_what_is_kept_of_the_other_copies_is_not_needed(places, finished, lost):
    finished(RUN, [9.0], test_error=9.0)
    folder = finished(RUN, [9.0], published=True, test_error=9.1)
    collect(places)
    whole = places.frame.read_bytes(), places.copies.read_bytes()
    getattr(places, lost).write_bytes(b"damaged")
    assert (collect(places).opened, collect(places).opened) == ({"frame": 2, "copies": 1}[lost], 0)
    assert (places.frame.read_bytes(), places.copies.read_bytes()) == whole
    shutil.rmtree(folder.path)
    assert [collect(places).problems, collect(places).problems] == [(), ()]


def test_a_published_copy_that_differs_gives_way_and_is_mentioned(places, finished):
    finished(RUN, test_error=9.0)
    finished(RUN, published=True, test_error=9.1)
    found = collect(places)
    assert found.finals["test_error"].tolist() == [9.0]
    (problem,) = found.problems
    assert problem.folder == f"published/{RUN.id}"
    assert problem.problem == f"differs from runs/{RUN.id}, which is the one shown"


def test_a_published_run_stands_until_its_working_copy_has_finished(places, finished, write_run):
    finished(RUN, published=True, test_error=9.1)
    write_run(RUN, [30.0])
    assert collect(places).finals["test_error"].tolist() == [9.1]


def test_nothing_is_read_twice(places, finished):
    finished(RUN, test_error=8.7)
    assert [collect(places).opened, collect(places).opened] == [1, 0]


def test_only_what_changed_is_read_again(places, finished):
    folder, _ = finished(RUN, [9.0], test_error=8.7), finished(OTHER, test_error=8.8)
    collect(places)
    with folder.metrics.open("ab") as file:
        file.write(metrics_file.encode({"iteration": 2000, "test_error": 8.0}))
    found = collect(places)
    assert found.opened == 1
    assert found.points["test_error"].tolist() == [9.0, 8.0]
    assert len(found.finals) == 2


def test_a_run_that_was_deleted_is_forgotten(places, finished):
    folder, _ = finished(RUN, test_error=8.7), finished(OTHER, test_error=8.8)
    collect(places)
    shutil.rmtree(folder.path)
    assert collect(places).finals["id"].tolist() == [OTHER.id]


def test_what_is_kept_has_the_same_bytes_however_it_came_about(places, finished):
    finished(RUN, [9.0], test_error=8.7)
    collect(places)
    finished(OTHER, [9.0, 8.0], test_error=8.8, gradient_first=0.1)
    collect(places)
    step_by_step = places.frame.read_bytes()
    places.frame.unlink()
    collect(places)
    assert places.frame.read_bytes() == step_by_step


def test_what_is_kept_and_damaged_is_read_anew(places, finished):
    finished(RUN, test_error=8.7)
    collect(places)
    places.frame.write_bytes(places.frame.read_bytes()[:100])
    assert collect(places).finals["test_error"].tolist() == [8.7]


def test_two_collectors_at_once_leave_one_whole_file(places, finished):
    for run in RESNET[20]:
        finished(run, [9.0], test_error=8.7)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: save(read_runs(places), places), range(8)))
    assert found == [None] * 8
    assert read_runs(places).opened == 0
    assert [path.name for path in places.results.iterdir() if path.is_file()] == ["runs.parquet"]


def test_a_folder_copied_elsewhere_reads_the_same(places, finished, tmp_path):
    finished(RUN, [9.0], test_error=8.7)
    first = collect(places)
    shutil.copytree(places.results, tmp_path / "copy")
    second = collect(replace(places, results=tmp_path / "copy"))
    assert second.runs.equals(first.runs)
    assert second.points.equals(first.points)


def test_rows_of_a_group_come_by_seed(places, finished):
    for run in reversed(list(RESNET[20])):
        finished(run, test_error=float(run.seed))
    finished(PLAIN[20].run, test_error=9.0)
    assert collect(places).of(RESNET[20]).finished["test_error"].tolist() == [0, 1, 2, 3, 4]


def test_mixed_names_what_differs_and_passes_over_what_is_missing(places, finished):
    finished(RUN, provenance={"torch": "2.11.0", "code": None})
    finished(OTHER, provenance={"torch": "2.12.0"})
    assert differing_columns(collect(places).runs, ("torch", "code", "device", "none")) == {
        "torch": ("2.11.0", "2.12.0")
    }


def test_the_most_serious_scale_with_results_is_found(places, finished):
    wanted = [table6.experiment, figure1.experiment]
    assert scale_with_results(wanted, collect(places)) == "paper"
    finished(SMOKE(PLAIN[56].run), test_error=50.0)
    assert scale_with_results(wanted, collect(places)) == "smoke"
    assert scale_with_results([table6.experiment], collect(places)) == "paper"
    finished(SCALES["quick"](PLAIN[20].run), test_error=20.0)
    assert scale_with_results(wanted, collect(places)) == "quick"


@pytest.mark.slow
def test_reading_what_did_not_change_takes_a_tenth_of_reading_it(places, finished):
    for seed in range(600):
        finished(replace(RUN, seed=seed), [20.0] * 63 + [8.7], test_error=8.7)
    code = (
        "import time; from repro.storage.paths import places; from repro.analysis.runs.frame_cache import read_runs, save\n"
        "t = time.process_time(); save(read_runs(places()), places()); cold = time.process_time() - t\n"
        "t = time.process_time(); save(read_runs(places()), places()); print((time.process_time() - t) / cold)"
    )
    ratios = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
    ]
    assert min(ratios) < 0.25


def test_gathering_what_did_not_change_imports_no_pandas(places, finished):
    finished(RUN, [9.0], test_error=9.0)
    finished(RUN, [9.0], published=True, test_error=9.0)
    finished(OTHER, test_error=8.8)
    collect(places)
    code = (
        "import sys; from repro.storage.paths import places; from repro.analysis.runs.frame_cache import read_runs, save\n"
        "gathered = read_runs(places()); save(gathered, places())\n"
        "print(gathered.opened, gathered.table.num_rows, 'pandas' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert said == "0 2 False\n"


def test_the_reading_wing_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import repro.analysis.output.diff_text, repro.analysis.compare.paper_diff\n"
        "import repro.analysis.compare.curve_gaps, repro.analysis.compare.claims\n"
        "assert 'submitit' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
