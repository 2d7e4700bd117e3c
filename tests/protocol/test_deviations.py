"""The deviation ledger says what differs from the printed protocol, and why; and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.cifar10 import PLAIN, RESNET, RESNET_110_COLD
from experiments.imagenet import RESNET as IMAGENET_RESNET
from experiments.readings import READINGS
from experiments.recipes import PRINTED_WORDS, VARIANTS, WHY
from experiments.scales import SCALES
from repro.definition.net import resnet
from repro.definition.origin import OFFICIAL
from repro.definition.run import Run
from repro.protocol.deviations import COMPLETE, as_printed, departures, departures_by_net

RUN = RESNET[20].run


def fields(run: Run) -> list[str]:
    return [departure.field for departure in departures(run)]


@pytest.mark.parametrize("group", [*PLAIN.values(), *RESNET.values(), *IMAGENET_RESNET.values()])
def test_the_printed_protocol_does_not_depart_from_itself(group):
    assert departures(as_printed(group.run.net)) == ()


def test_the_default_departs_in_what_the_recipes_own_page_explains():
    (departure,) = departures(RUN)
    assert departure.field == "recipe.batch_norm_group"
    assert (departure.paper, departure.ours) == ("64", "the whole batch")
    assert departure.why == WHY["recipe.batch_norm_group"]


def test_an_imagenet_net_takes_its_batch_statistics_as_the_paper_did():
    assert fields(IMAGENET_RESNET[34, "A"].run) == ["recipe.input.mean"]


def test_the_ghost_variant_departs_in_nothing():
    assert departures(VARIANTS["ghost"](RUN)) == ()


def test_the_warm_up_that_section_4_2_prescribes_for_110_layers_is_no_departure():
    assert "recipe.warmup" not in fields(RESNET[110].run)
    assert "recipe.warmup" not in fields(RESNET[1202].run)


def test_leaving_the_warm_up_out_is_a_departure_with_the_variants_reason():
    (departure,) = [
        found for found in departures(RESNET_110_COLD.run) if found.field == "recipe.warmup"
    ]
    assert departure.paper == "rate 0.01, below 80.0, window 100"
    assert departure.ours == "none"
    assert departure.why == VARIANTS["cold"].about


def test_a_net_with_two_recipes_is_named_with_the_one_that_departs():
    found = {
        departure.field: nets
        for departure, nets in departures_by_net(
            (RUN, RESNET[110].run, RESNET_110_COLD.run)
        ).items()
    }
    assert found["recipe.warmup"] == ("resnet-110 cifar10-warmup-cold",)
    assert found["recipe.batch_norm_group"] == ("resnet-20", "resnet-110")


def test_a_variants_line_is_the_reason_for_every_field_it_sets():
    found = {departure.field: departure.why for departure in departures(VARIANTS["std"](RUN))}
    assert found["recipe.input.mean"] == found["recipe.input.std"] == VARIANTS["std"].about


def test_a_variant_of_the_net_departs_in_the_net():
    (departure,) = [d for d in departures(VARIANTS["zeros-both"](RUN)) if d.field.startswith("net")]
    assert str(departure) == f"net.zeros: both, not end ({VARIANTS['zeros-both'].about})"


def test_a_value_set_by_hand_departs_without_a_reason():
    by_hand = replace(RUN, recipe=replace(RUN.recipe, name="cifar10-set", momentum=0.95))
    (departure,) = [found for found in departures(by_hand) if found.field == "recipe.momentum"]
    assert str(departure) == "recipe.momentum: 0.95, not 0.9"


@pytest.mark.parametrize("group", [RESNET[20], RESNET[110], IMAGENET_RESNET[50, "B"]])
@pytest.mark.parametrize("scale", ["tenth", "quick", "smoke"])
def test_a_scale_is_one_line_however_many_fields_it_changes(group, scale):
    found = departures(SCALES[scale](group.run))
    assert (found[0].field, found[0].ours, found[0].why) == ("scale", scale, SCALES[scale].about)
    assert {departure.field for departure in found[1:]} <= set(WHY)


def test_a_variant_at_another_scale_still_departs():
    run = VARIANTS["std"](SCALES["smoke"](RUN))
    assert {"scale", "recipe.input.std"} <= set(fields(run))


def test_a_scale_this_version_does_not_know_says_so():
    (departure, *_) = departures(replace(RUN, scale="huge"))
    assert departure.why == "not a scale of this version"


def test_images_that_are_not_the_official_ones_are_a_departure():
    departure = departures(RUN, {"name": "cifar10", "origin": "imported"})[-1]
    assert (departure.field, departure.ours) == ("data", "cifar10, imported")
    for origin in OFFICIAL:
        assert len(departures(RUN, {"name": "cifar10", "origin": origin})) == 1


def test_images_known_by_their_counts_alone_are_a_departure_and_official_pixels_are_none():
    run = IMAGENET_RESNET[34, "A"].run
    origin = "parquet, complete: 1,281,167 + 50,000"
    departure = departures(run, {"name": "imagenet", "origin": origin})[-1]
    assert (departure.ours, departure.why) == (f"imagenet, {origin}", COMPLETE)
    official = departures(run, {"name": "imagenet", "origin": "official pixels"})
    assert [one.field for one in official] == ["recipe.input.mean"]


def test_the_seed_does_not_depart_and_the_ledger_names_the_nets():
    found = departures_by_net(
        [*RESNET[20], *RESNET[56], *VARIANTS["fan-out"](RESNET[56].run).repeated(2)]
    )
    nets = {departure.field: names for departure, names in found.items()}
    assert nets == {
        "recipe.batch_norm_group": ("resnet-20", "resnet-56"),
        "net.init": ("resnet-56 cifar10-fan-out",),
    }


def test_a_bottleneck_that_strides_in_its_3x3_departs():
    run = VARIANTS["stride-3x3"](IMAGENET_RESNET[50, "B"].run)
    assert "net.stride_in" in fields(run)
    assert as_printed(resnet(50, "B", "imagenet")).net.stride_in == "1x1"


def test_where_the_paper_prints_no_value_the_ledger_quotes_its_words_and_our_reading_of_them():
    run = IMAGENET_RESNET[34, "A"].run
    shorter = replace(run.recipe, name="imagenet-set", iterations=400_000, drops=(90_000,))
    found = {one.field: str(one) for one in departures(replace(run, recipe=shorter))}
    assert found["recipe.iterations"] == (
        "recipe.iterations: 400,000, not “up to 60×10⁴ iterations”, read as 550,000"
    )
    assert found["recipe.drops"] == (
        "recipe.drops: 90,000, not “when the error plateaus”, read as 150,000, 300,000"
    )


def test_a_reading_of_the_words_is_declared_for_each():
    quoted = " ".join(reading.what for reading in READINGS)
    for words in PRINTED_WORDS.values():
        assert all(f"“{text}”" in quoted for text in words.values())


def test_the_momentum_of_the_authors_framework_is_a_departure_with_its_reason():
    found = departures(VARIANTS["caffe-sgd"](RUN))
    assert "recipe.momentum_form: caffe, not none" in str(found[-1])
    assert found[-1].why == VARIANTS["caffe-sgd"].about
