"""Exactly one attempt publishes; what is damaged is seen; what cannot go on says why."""

import json
import os
import shutil
from typing import Any

import pytest
import torch

from repro.errors import EnvironmentProblem, Incomplete, RunFailed, UserError
from repro.storage.paths import Folder, Places
from repro.training import Stopped, StopRequest, train
from repro.training import checkpoint as checkpoints
from repro.training.attempt import Attempt, Superseded
from repro.training.pace import Pace
from repro.training.read_only_attempt import ReadOnlyAttempt
from tests.training.test_resume import StopAt

# The least that a run can go on from.
STATE: dict[str, Any] = {
    "iteration": 1,
    "net": {},
    "optimizer": {},
    "warm_up": {},
    "window": {},
    "latest": {},
    "metrics_size": 0,
    "data": "da7a",
    "threads": 1,
    "seconds": 1.0,
}


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path / "run")


def asked_at_once() -> StopRequest:
    stop = StopRequest()
    stop.request("a test")
    return stop


def test_each_attempt_gets_the_next_number_and_only_the_newest_two_are_kept(folder, tiny):
    numbers = [Attempt.claim(folder, tiny).number for _ in range(4)]
    assert numbers == [1, 2, 3, 4]
    assert folder.attempts() == [3, 4]


def test_an_attempt_that_has_been_superseded_can_publish_nothing(folder, tiny):
    old = Attempt.claim(folder, tiny)
    old.open_metrics(0)
    old.record({"iteration": 1})
    new = Attempt.claim(folder, tiny)
    new.open_metrics(0)
    for publish in (
        lambda: old.record({"iteration": 2}),
        lambda: old.save({"weights": torch.ones(1)}),
        lambda: old.finish({"metrics": {}}),
        lambda: old.progress("stopped", 2),
        lambda: old.fail("failed", 2, "too late"),
    ):
        with pytest.raises(Superseded):
            publish()
    old.close(), new.close()
    assert not folder.checkpoint.exists()
    assert not folder.final.exists()


def test_a_writer_that_wakes_up_in_the_middle_of_a_write_writes_into_nothing(folder, tiny):
    old = Attempt.claim(folder, tiny)
    old.open_metrics(0)
    new = Attempt.claim(folder, tiny)
    new.open_metrics(0)
    new.record({"iteration": 1})
    os.write(old._metrics, b"late\n")  # the check had been passed before the new attempt came
    old.close(), new.close()
    assert b"late" not in folder.metrics.read_bytes()


def test_metrics_beyond_the_checkpoint_are_cut_off(folder, tiny):
    attempt = Attempt.claim(folder, tiny)
    attempt.open_metrics(0)
    size = attempt.record({"iteration": 1})
    attempt.record({"iteration": 2})
    attempt.close()
    again = Attempt.claim(folder, tiny)
    again.open_metrics(size)
    again.close(), again.close()
    assert folder.metrics.stat().st_size == size


def test_metrics_damaged_before_the_checkpoint_are_not_believed(folder, tiny):
    attempt = Attempt.claim(folder, tiny)
    attempt.open_metrics(0)
    attempt.save(STATE | {"metrics_size": attempt.record({"iteration": 1})})
    attempt.close()
    folder.metrics.write_bytes(folder.metrics.read_bytes().replace(b"1", b"7", 1))
    with pytest.raises(
        Incomplete, match=r"damaged: .*checkpoint.pt` \(its `metrics.jsonl` is damaged at byte 0 of"
    ):
        Attempt.claim(folder, tiny).load()


def test_where_the_older_checkpoint_still_has_its_metrics_it_is_gone_on_from(folder, tiny):
    attempt = Attempt.claim(folder, tiny)
    attempt.open_metrics(0)
    sizes = [attempt.record({"iteration": 1})]
    attempt.save(STATE | {"metrics_size": sizes[0]})
    sizes += [attempt.record({"iteration": 2})]
    attempt.save(STATE | {"iteration": 2, "metrics_size": sizes[1]})
    attempt.close()
    folder.metrics.write_bytes(folder.metrics.read_bytes()[:-1])
    again = Attempt.claim(folder, tiny)
    assert again.load()["iteration"] == 1
    assert "checkpoint.pt` (its `metrics.jsonl` is damaged at byte" in folder.log.read_text()
    assert (
        checkpoints.find_checkpoint(folder).damaged == ()
    )  # the good one is the newest now, and the next save keeps it


def test_a_folder_that_holds_another_run_is_refused(folder, tiny):
    from tests.training.tiny import tiny_run

    Attempt.claim(folder, tiny)
    with pytest.raises(RunFailed, match="holds the definition of another run"):
        Attempt.claim(folder, tiny_run(seed=1))


def half_trained(run, here, stops=1):
    """The folder of a run that was stopped so many times."""
    for _ in range(stops):
        with pytest.raises(Stopped):
            train(run, here, asked_at_once())
    return here.run(run.id)


def test_a_checkpoint_of_another_run_is_refused(tiny, here):
    from tests.training.tiny import tiny_run

    other = tiny_run(seed=1)
    folder, own = half_trained(tiny, here), here.run(other.id)
    own.path.mkdir()
    shutil.copyfile(folder.checkpoint, own.checkpoint)
    shutil.copyfile(folder.metrics, own.metrics)
    before = own.checkpoint.read_bytes()
    with pytest.raises(
        RunFailed, match=rf"is a checkpoint of another run, `{tiny.id}`, not of {other.id}"
    ) as refused:
        train(other, here)
    assert "`--again`" in refused.value.hint
    assert own.checkpoint.read_bytes() == before
    assert not own.final.exists()


def test_a_checkpoint_of_another_run_is_refused_although_the_one_before_is_this_runs_own(
    tiny, here
):
    from tests.training.tiny import tiny_run

    other = tiny_run(seed=1)
    folder, own = half_trained(tiny, here), half_trained(other, here, stops=2)
    shutil.copyfile(folder.checkpoint, own.checkpoint)
    with pytest.raises(RunFailed, match=f"of another run, `{tiny.id}`"):
        train(other, here)
    assert not own.final.exists()


def test_where_the_newest_is_damaged_a_previous_checkpoint_of_another_run_is_refused_and_left(
    tiny, here
):
    from tests.training.tiny import tiny_run

    other = tiny_run(seed=1)
    folder, own = half_trained(tiny, here), half_trained(other, here, stops=2)
    shutil.copyfile(folder.checkpoint, own.previous_checkpoint)
    own.checkpoint.write_bytes(b"nothing")
    with pytest.raises(
        RunFailed, match=f"previous.pt` is a checkpoint of another run, `{tiny.id}`"
    ):
        train(other, here)
    assert own.checkpoint.read_bytes() == b"nothing"


def test_a_bystander_refuses_a_checkpoint_of_another_run_too(tiny, here):
    from tests.training.tiny import tiny_run

    folder = half_trained(tiny, here)
    assert ReadOnlyAttempt(folder, tiny).load()["iteration"] == 1
    with pytest.raises(RunFailed, match="a checkpoint of another run"):
        ReadOnlyAttempt(folder, tiny_run(seed=1)).load()


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(folder):
    folder.path.mkdir()
    for iteration in (1, 2):
        checkpoints.save(folder, STATE | {"iteration": iteration}, lambda: None)
    content = bytearray(folder.checkpoint.read_bytes())
    content[len(content) // 2] ^= 1
    folder.checkpoint.write_bytes(content)
    assert checkpoints.load(folder)["iteration"] == 1


UNUSABLE = {
    "missing keys": {"iteration": 3, "metrics_size": 0},
    "another type": STATE | {"iteration": "3"},
    "a negative size": STATE | {"metrics_size": -1},
    "no dictionary": [1, 2, 3],
    "code to run": Places,
}


@pytest.mark.parametrize("content", UNUSABLE.values(), ids=UNUSABLE)
def test_a_checkpoint_with_a_right_digest_and_unusable_content_is_damaged(
    content, tiny, here, capfd
):
    with pytest.raises(Stopped):
        train(tiny, here, StopAt(7))
    folder = here.run(tiny.id)
    reached = checkpoints.load(folder)["iteration"]
    checkpoints.save(folder, content, lambda: None)
    found = checkpoints.find_checkpoint(folder)
    assert (found.path, found.state["iteration"]) == (folder.previous_checkpoint, reached)
    assert "its content " in found.damaged[0]
    assert train(tiny, here)["id"] == tiny.id
    assert f"damaged: `{folder.checkpoint}` (its content " in folder.log.read_text()
    assert "weights_only" not in folder.log.read_text() + "".join(capfd.readouterr())


def test_a_checkpoint_cut_at_any_length_is_never_loaded(folder):
    folder.path.mkdir()
    checkpoints.save(folder, STATE, lambda: None)
    content = folder.checkpoint.read_bytes()
    for size in range(0, len(content), 7):
        folder.checkpoint.write_bytes(content[:size])
        with pytest.raises(Incomplete, match="every checkpoint of this run is damaged"):
            checkpoints.load(folder)


def test_a_run_never_begins_again_by_itself_when_its_checkpoints_are_damaged(tiny, here):
    with pytest.raises(Stopped):
        train(tiny, here, asked_at_once())
    folder = here.run(tiny.id)
    folder.checkpoint.write_bytes(b"nothing")
    with pytest.raises(Incomplete, match=r"checkpoint\.pt"):
        train(tiny, here)
    assert "damaged" in json.loads(folder.failed.read_bytes())["problem"]


def test_a_run_whose_data_changed_is_not_continued(tiny, here):
    with pytest.raises(Stopped):
        train(tiny, here, asked_at_once())
    folder = here.run(tiny.id)
    checkpoints.save(folder, checkpoints.load(folder) | {"data": "0" * 64}, lambda: None)
    with pytest.raises(UserError, match="has changed since its checkpoint: `000000000000…` then"):
        train(tiny, here)


def test_a_loss_that_is_not_finite_ends_the_run_at_that_iteration(here):
    from tests.training.tiny import tiny_run

    run = tiny_run(learning_rate=1e30, warmup=None)
    with pytest.raises(RunFailed, match="not finite at iteration"):
        train(run, here)
    record = json.loads(here.run(run.id).failed.read_bytes())
    assert record["state"] == "diverged"
    assert 0 < record["iteration"] < run.recipe.iterations
    assert not here.run(run.id).final.exists()


def test_a_finished_run_can_be_measured_again_without_training(tiny, here):
    final = train(tiny, here)
    weights = here.run(tiny.id).checkpoint.read_bytes()
    again = train(tiny, here, measure_again=True)
    assert again["metrics"] == final["metrics"]
    assert again["responses"] == final["responses"]
    assert len(again["responses"]) == 6 * 1 + 1
    assert here.run(tiny.id).checkpoint.read_bytes() == weights


def test_everything_a_run_writes_is_private(tiny, here):
    train(tiny, here)
    folder = here.run(tiny.id).path
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in folder.iterdir()} == {
        path.name: "0o0" for path in folder.iterdir()
    }
    assert len(list(folder.iterdir())) <= 12


def test_what_is_not_finite_in_a_final_record_is_null_and_says_which_it_was(folder, tiny):
    attempt = Attempt.claim(folder, tiny)
    measured = {
        "metrics": {"test_loss": float("nan"), "a": float("inf"), "b": 1.5},
        "responses": [1.0, float("nan")],
    }
    final = attempt.finish(measured)
    assert final["metrics"] == {"test_loss": None, "a": None, "b": 1.5}
    assert final["flags"] == {"test_loss": "nan", "a": "inf"}
    assert final["responses"] == [1.0, None]
    assert json.loads(folder.final.read_bytes()) == final


def test_a_run_whose_folder_was_removed_says_so(folder, tiny):
    attempt = Attempt.claim(folder, tiny)
    shutil.rmtree(folder.path)
    attempt.say("hello")
    for write in (lambda: attempt.save({}), lambda: attempt.progress("stopped", 1)):
        with pytest.raises(
            EnvironmentProblem, match=r"cannot write .*/run.*: No such file or directory"
        ):
            write()
    assert not list(folder.path.iterdir())


def test_a_run_whose_checkpoints_are_gone_does_not_begin_again(tiny, here):
    for _ in (1, 2):
        with pytest.raises(Stopped):
            train(tiny, here, asked_at_once())
    folder = here.run(tiny.id)
    folder.checkpoint.unlink(), folder.previous_checkpoint.unlink()
    with pytest.raises(
        Incomplete, match=r"the checkpoints of .* are gone: an earlier attempt began at iteration 1"
    ):
        train(tiny, here)


def test_a_run_that_was_on_two_machines_has_both_on_record(tiny, here):
    with pytest.raises(Stopped):
        train(tiny, here, asked_at_once())
    folder = here.run(tiny.id)
    state = checkpoints.load(folder) | {"machines": ["another machine"]}
    checkpoints.save(folder, state, lambda: None)
    machines = train(tiny, here)["provenance"]["machines"]
    assert machines[0] == "another machine"
    assert "threads, torch" in machines[1]


def test_a_record_says_how_the_run_was_computed(tiny, here):
    provenance = train(tiny, here)["provenance"]
    assert provenance["device"].startswith("cpu: ")
    assert provenance["precision"] == "fp32"
    assert provenance["layout"] == "channels last"
    assert provenance["captured"] is False
    assert (provenance["mps"], provenance["driver"]) == (None, None)
    assert "gpu" not in provenance


def test_a_record_says_whether_the_tests_were_of_images_trained_on(tiny, here):
    assert train(tiny, here)["provenance"]["data"]["tested_on_training_images"] is False


def test_a_finished_run_found_finished_after_the_claim_is_left_alone(tiny, here, monkeypatch):
    final = train(tiny, here)
    folder = here.run(tiny.id)
    looks = iter([None, final])
    monkeypatch.setattr("repro.training.loop.read_json", lambda path: next(looks))
    before = folder.final.stat().st_ino
    assert train(tiny, here) == final
    assert folder.final.stat().st_ino == before


def test_saving_takes_at_most_its_share_of_the_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("repro.training.pace.time.monotonic", lambda: now[0])
    monkeypatch.setenv("REPRO_SAVE_EVERY", "0")
    pace, saving = Pace(0, 10**6, 0.0), 0.0
    while now[0] < 10_000:
        now[0] += 0.5
        if pace.should_save():
            with pace.saving():
                now[0] += 3.0
                saving += 3.0
    assert 0 < saving / now[0] <= 0.0101
