"""Our curves against those read off the paper."""

from __future__ import annotations

import pytest

from experiments import figure1, figure6, figure7
from experiments.cifar10 import PLAIN
from experiments.scales import SCALES
from repro.analysis.compare.curve_gaps import curve_gaps, digitised
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import Figure, at_scale
from repro.errors import UserError

PAPER = digitised(figure6.experiment)


def as_in_the_paper(label: str, off: float = 0.0) -> list[dict[str, float]]:
    """A curve through every point that was read off, shifted; straight between them."""
    ours = [{"iteration": 1000 * (at + 1)} for at in range(64)]
    for split in ("train", "test"):
        theirs = PAPER[
            (PAPER["panel"] == "left") & (PAPER["label"] == label) & (PAPER["split"] == split)
        ]
        known = dict(zip(theirs["iteration"], theirs["error"] + off, strict=True))
        last = next(iter(known.values()))
        for row in ours:
            last = row[f"{split}_error"] = known.get(row["iteration"], last)
    return ours


def test_the_papers_own_curve_is_no_distance_away(places, finished):
    finished(PLAIN[20].run, as_in_the_paper("plain-20"))
    found = curve_gaps("figure1", figure1.experiment, collect(places))
    assert {(gap.split, gap.phase) for gap in found} == {
        (s, r) for s in ("train", "test") for r in ("0.1", "0.01", "0.001")
    }
    assert max(gap.gap for gap in found) < 1e-9
    assert all(gap.within for gap in found)


def test_a_shifted_curve_is_as_far_away_as_it_was_shifted(places, finished):
    finished(PLAIN[20].run, as_in_the_paper("plain-20", off=1.5))
    found = curve_gaps("figure1", figure1.experiment, collect(places))
    assert {round(gap.gap, 6) for gap in found} == {1.5}
    assert not any(gap.within for gap in found)
    assert {gap.reading_error for gap in found} == {0.1}


def test_the_mean_over_seeds_is_what_is_compared(places, finished):
    for run, off in zip(PLAIN[20].limited(2), (1.0, -1.0), strict=True):
        finished(run, as_in_the_paper("plain-20", off))
    assert max(gap.gap for gap in curve_gaps("figure1", figure1.experiment, collect(places))) < 1e-9


def test_every_digitised_point_is_in_one_phase(places, finished):
    finished(PLAIN[20].run, as_in_the_paper("plain-20"))
    found = curve_gaps("figure1", figure1.experiment, collect(places))
    of_net = PAPER[(PAPER["panel"] == "left") & (PAPER["label"] == "plain-20")]
    assert sum(gap.points for gap in found) == len(of_net)


def test_a_run_that_is_not_finished_has_no_gap(places, write_run):
    write_run(PLAIN[20].run, as_in_the_paper("plain-20"))
    assert curve_gaps("figure1", figure1.experiment, collect(places)) == []


def test_at_another_scale_there_is_nothing_to_compare(places, finished):
    quick = at_scale(figure1.experiment, SCALES["quick"])
    finished(SCALES["quick"](PLAIN[20].run), [{"test_error": 20.0}])
    assert curve_gaps("figure1", quick, collect(places)) == []


def test_layer_responses_are_no_curves_over_iterations(places):
    assert curve_gaps("figure7", figure7.experiment, collect(places)) == []


def test_a_file_that_is_not_there_is_an_error_with_a_hint():
    with pytest.raises(UserError, match=r"no file `gone.csv` in experiments/paper"):
        digitised(Figure("made up", (), 1, digitised="gone.csv"))
