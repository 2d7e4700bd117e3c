"""What depth did, in a sentence that follows from the numbers and from nothing else."""

from __future__ import annotations

import pytest

from experiments.cifar10 import PLAIN, RESNET
from repro.analysis.compare.paper_diff import compare
from repro.analysis.output.plain_words import closing_words, depth_in_words
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import at_scale
from repro.protocol import catalog

SMOKE, PAPER = catalog.load_scale("smoke"), catalog.load_scale("paper")
GENERATED = {"name": "generated", "origin": "generated"}


@pytest.fixture
def trained(finished):
    """Two seeds of plain and residual nets of 20 and 56 layers, at these test errors."""

    def write(plain: tuple[float, float], residual: tuple[float, float], scale=SMOKE, data=None):
        for nets, errors in ((PLAIN, plain), (RESNET, residual)):
            for depth, error in zip((20, 56), errors, strict=True):
                for run in scale(nets[depth].run).repeated(2):
                    finished(run, test_error=error + run.seed / 5 - 0.1, data=data or GENERATED)

    return write


def test_the_demo_ends_in_what_came_out_and_what_it_is_worth(places, trained):
    trained(plain=(28.0, 88.0), residual=(0.5, 2.6))
    collected = collect(places)
    declared = {"figure6": catalog.load_experiment("figure6")}
    scaled = {name: at_scale(experiment, SMOKE) for name, experiment in declared.items()}
    diff = compare(declared, scaled, collected, "smoke")
    assert closing_words(diff, collected, SMOKE) == [
        "On generated images deeper plain nets got worse (28 → 88 % test error, 20 → 56 layers), "
        "residual nets hardly did (0.5 → 2.6 %), as in the paper's Figure 6.",
        "This proves the pipeline, not the paper.",
    ]


@pytest.mark.parametrize(
    ("plain", "residual", "words"),
    [
        ((9.7, 13.2), (8.8, 7.0), "residual nets got better (8.8 → 7 %), as in the paper's"),
        ((10.0, 50.0), (10.0, 10.5), "residual nets did not (10 → 10.5 %), as in the paper's"),
        ((30.0, 70.0), (30.0, 45.0), "residual nets less so (30 → 45 %); in the paper's"),
        ((30.0, 40.0), (30.0, 60.0), "and so did residual nets (30 → 60 %); in the paper's"),
        ((30.0, 20.0), (30.0, 60.0), "deeper plain nets did not get worse (30 → 20 % test error"),
    ],
)
def test_the_words_follow_the_numbers(places, trained, plain, residual, words):
    trained(plain, residual)
    assert words in depth_in_words(collect(places), SMOKE)


def test_official_images_are_called_by_their_name(places, trained):
    trained((9.7, 13.2), (8.8, 7.0), PAPER, {"origin": "official archive"})
    assert depth_in_words(collect(places), PAPER).startswith("On CIFAR-10 deeper plain nets")


def test_nothing_is_said_of_depth_while_nets_are_lacking(places, finished):
    for run in SMOKE(PLAIN[20].run).repeated(2):
        finished(run, test_error=28.0, data=GENERATED)
    assert depth_in_words(collect(places), SMOKE) == ""
