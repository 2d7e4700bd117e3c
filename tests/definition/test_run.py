"""A run is a value: its definition survives JSON, and its id changes with anything that can move a
number."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from repro.definition.net import Net, net_named, plain, resnet
from repro.definition.recipe import Input, Plateau, Recipe, Warmup
from repro.definition.run import Run, from_definition, to_definition
from repro.errors import UserError

names = some.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)
counts = some.integers(1, 10**6)
fractions = some.floats(0, 1)
rates = some.floats(1e-6, 10)


@some.composite
def nets(draw):
    family = draw(some.sampled_from(["cifar", "imagenet"]))
    depth = draw(
        some.integers(1, 300).map(lambda n: 6 * n + 2)
        if family == "cifar"
        else some.sampled_from((18, 34, 50))
    )
    choices = {
        "init": draw(some.sampled_from(["fan_in", "fan_out"])),
        "classes": draw(some.integers(2, 1000)),
    }
    shortcut = draw(some.sampled_from([None, "A", "B", "C"]))
    return (
        resnet(depth, shortcut, family, **choices) if shortcut else plain(depth, family, **choices)
    )


inputs = some.builds(
    Input,
    size=some.integers(8, 256),
    std=some.sampled_from([None, "channel"]),
    shorter_side=some.none() | some.tuples(some.just(256), some.integers(256, 480)),
    colour=some.none() | fractions,
    flip=some.booleans(),
    decoder=some.sampled_from([None, "gpu"]),
    test_sides=some.none() | some.lists(some.integers(32, 640), min_size=1, max_size=5).map(tuple),
)
warmups = some.builds(Warmup, rate=rates, below=some.floats(1, 99), window=counts) | some.builds(
    Warmup, rate=rates, iterations=counts
)
recipes = some.builds(
    Recipe,
    name=names,
    dataset=names,
    input=inputs,
    batch=some.integers(1, 2**16),
    iterations=counts,
    drops=some.sets(counts, max_size=3).map(sorted).map(tuple),
    evaluate_every=counts,
    learning_rate=rates,
    momentum=fractions,
    decay=fractions,
    precision=some.sampled_from(["fp32", "tf32", "bf16"]),
    warmup=some.none() | warmups,
)
recipes |= some.builds(
    Recipe,
    name=names,
    dataset=names,
    input=inputs,
    batch=some.integers(1, 2**16),
    iterations=counts,
    drops=some.just(()),
    evaluate_every=counts,
    plateau=some.builds(
        Plateau, patience=counts, threshold=some.floats(0, 100), most=some.integers(1, 9)
    ),
)
runs = some.builds(Run, net=nets(), recipe=recipes, seed=some.integers(0, 2**32 - 1), scale=names)

RECIPE = Recipe(
    "short", "cifar10", Input(size=32, pad=4), 128, iterations=100, drops=(50,), evaluate_every=10
)
RUN = Run(resnet(20), RECIPE)


@given(runs)
def test_a_definition_survives_json(run):
    again = from_definition(json.loads(json.dumps(to_definition(run), allow_nan=False)))
    assert again == run
    assert again.id == run.id


@given(runs, runs)
def test_two_runs_have_one_id_exactly_if_they_are_equal(one, other):
    assert (one.id == other.id) == (one == other)


def changes():
    """RUN with each single field changed, whatever it is in."""
    own = {"seed": 1, "scale": "smoke"}
    net = {"depth": 26, "init": "fan_out", "zeros": "both", "classes": 100}
    recipe = {
        "name": "other", "dataset": "generated", "batch": 64, "iterations": 200, "drops": (60,), "evaluate_every": 20,
        "learning_rate": 0.2, "momentum": 0.8, "decay": 1e-3, "decay_on": "weights", "split": "45k/5k",
        "precision": "bf16", "warmup": Warmup(iterations=400), "batch_norm_group": 64,
        "batch_norm_average": "re-estimated",
        "momentum_form": "caffe",
    }  # fmt: skip
    inputs = {
        "size": 24, "mean": "channel", "std": "channel", "pad": 2, "shorter_side": (256, 480), "colour": 0.1,
        "flip": False, "test_side": 256, "test_sides": (224, 256), "decoder": "gpu",
    }  # fmt: skip
    yield from ((key, replace(RUN, **{key: value})) for key, value in own.items())
    yield from (
        (f"net.{key}", replace(RUN, net=replace(RUN.net, **{key: value})))
        for key, value in net.items()
    )
    yield from (
        (f"recipe.{key}", replace(RUN, recipe=replace(RECIPE, **{key: value})))
        for key, value in recipe.items()
    )
    for key, value in inputs.items():
        yield (
            f"recipe.input.{key}",
            replace(RUN, recipe=replace(RECIPE, input=replace(RECIPE.input, **{key: value}))),
        )
    yield "recipe.plateau", replace(RUN, recipe=replace(RECIPE, plateau=Plateau(), drops=()))
    yield "net.kind, net.shortcut", replace(RUN, net=plain(20))
    imagenet = resnet(50, "B", "imagenet")
    yield "net.family, net.stride_in", replace(RUN, net=imagenet)
    yield "net.pool", replace(RUN, net=replace(imagenet, pool="unpadded"))


@pytest.mark.parametrize(("path", "changed"), list(changes()))
def test_changing_any_field_changes_the_id(path, changed):
    assert changed.id.rsplit("-", 1)[1] != RUN.id.rsplit("-", 1)[1]


def test_the_test_above_changes_every_field_there_is():
    changed = {part.rsplit(".", 1)[-1] for path, _ in changes() for part in path.split(", ")}
    assert changed == {
        field.name for kind in (Net, Input, Recipe, Run) for field in fields(kind)
    } - {
        "net",
        "recipe",
        "input",
    }


@pytest.mark.parametrize(
    "change", [{"rate": 0.02}, {"below": 80.0}, {"window": 9}, {"iterations": 3}]
)
def test_changing_the_warm_up_changes_the_id(change):
    warm = (
        Warmup(below=70.0, window=100)
        if change.keys() & {"below", "window"}
        else Warmup(iterations=400)
    )
    one, other = (
        replace(RUN, recipe=replace(RECIPE, warmup=which))
        for which in (warm, replace(warm, **change))
    )
    assert one.id != other.id


def test_an_unset_field_stays_out_of_the_definition_so_that_adding_one_keeps_old_ids():
    text = json.dumps(to_definition(RUN))
    assert "null" not in text
    assert "warmup" not in to_definition(RUN)["recipe"]


def test_an_id_reads_as_net_recipe_scale_and_seed():
    assert RUN.id.startswith("resnet-20.short.paper.s0-")
    assert replace(RUN, net=resnet(34, "B", "imagenet"), seed=3).id.startswith(
        "resnet-34-b.short.paper.s3-"
    )


def test_an_unknown_key_is_named_by_its_path():
    values = to_definition(RUN)
    values["recipe"]["input"]["colours"] = 3
    with pytest.raises(UserError) as error:
        from_definition(values)
    assert error.value.problem == "not the definition of a run: unknown `recipe.input.colours`"
    assert error.value.hint == "it was written by a newer version; update this one"


def test_a_wrong_type_is_named_by_its_path():
    values = to_definition(RUN)
    values["recipe"]["rate"] = "fast"
    with pytest.raises(UserError) as error:
        from_definition(values)
    assert error.value.problem.startswith(
        "not the definition of a run: Expected `float`, got `str`"
    )
    assert "$.recipe.rate" in error.value.problem
    assert error.value.hint == "was it written by another version?"


def test_a_missing_key_is_named():
    with pytest.raises(UserError, match=r"missing required field `recipe`"):
        from_definition({"net": to_definition(RUN)["net"]})


def problem_and_hint(make):
    with pytest.raises(UserError) as error:
        make()
    return error.value.problem, error.value.hint


def test_depth_21_lists_20_and_26():
    assert problem_and_hint(lambda: resnet(21)) == (
        "no CIFAR net has depth `21`: depths are 6n+2",
        "the nearest are 20 and 26; the paper has 20, 32, 44, 56, 110 and 1202",
    )


@pytest.mark.parametrize("depth", [-1, 0, 2, 7, 9])
def test_depths_below_8_lead_to_8(depth):
    assert problem_and_hint(lambda: plain(depth))[1].startswith("the nearest are 8 and 14")


def test_imagenet_depths_are_those_of_table_1():
    assert problem_and_hint(lambda: plain(20, "imagenet")) == (
        "no ImageNet net has depth `20`",
        "the paper's Table 1 has 18, 34, 50, 101, 152",
    )


def test_a_plain_net_has_no_shortcut_and_a_resnet_has_one():
    assert problem_and_hint(lambda: plain(20, shortcut="A")) == (
        "a plain cannot have shortcut `A`",
        "a plain net has none; a resnet has A, B or C",
    )
    assert problem_and_hint(lambda: resnet(20, None))[0] == "a resnet cannot have shortcut `None`"


@pytest.mark.parametrize(
    "choice", [{"stride_in": "3x3"}, {"shortcut": "B", "zeros": "both"}, {"zeros": None}]
)
def test_choices_that_do_not_fit_the_net_are_refused(choice):
    assert problem_and_hint(lambda: resnet(20, **choice))[1] == (
        "`stride_in` belongs to nets of bottlenecks, `zeros` to shortcut A"
    )


def test_a_net_tells_at_least_two_classes_apart():
    assert problem_and_hint(lambda: resnet(20, classes=1)) == (
        "a net cannot tell `1` classes apart",
        "`classes` is 2 or more",
    )


@pytest.mark.parametrize("field", ["batch", "iterations", "evaluate_every"])
def test_a_recipe_counts_from_one(field):
    assert problem_and_hint(lambda: replace(RECIPE, **{field: 0})) == (
        f"`recipe.{field}` is `0`",
        "it must be 1 or more",
    )


@pytest.mark.parametrize("value", [0.0, -0.1, float("nan"), float("inf")])
def test_a_rate_is_finite_and_positive(value):
    assert problem_and_hint(lambda: replace(RECIPE, learning_rate=value)) == (
        f"`recipe.rate` is `{value}`",
        "it must be finite and positive",
    )


def test_drops_rise():
    assert problem_and_hint(lambda: replace(RECIPE, drops=(50, 40))) == (
        "`recipe.drops` is `[50, 40]`",
        "list the iterations in rising order",
    )


@pytest.mark.parametrize("group", [1, 0, 50])
def test_a_batch_norm_group_divides_the_batch(group):
    assert problem_and_hint(lambda: replace(RECIPE, batch_norm_group=group)) == (
        f"`recipe.batch_norm_group` `{group}` does not divide the batch of 128",
        "choose a divisor of the batch, 2 or more",
    )


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_are_32_bits(seed):
    assert problem_and_hint(lambda: replace(RUN, seed=seed)) == (
        f"seed `{seed}` is out of range",
        "seeds are 0 to 4294967295",
    )


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "x.", "a..b", "ü", "x" * 65])
def test_a_name_that_becomes_a_file_name_is_a_safe_one(name):
    problem, hint = problem_and_hint(lambda: replace(RECIPE, name=name))
    assert problem.endswith("is not a name for a recipe")
    assert hint == "use 1 to 64 of A–Z a–z 0–9 . _ -"


def test_repeated_runs_differ_in_their_seed_alone():
    runs = RUN.repeated(3)
    assert [run.seed for run in runs] == [0, 1, 2]
    assert {replace(run, seed=0) for run in runs} == {RUN}
    assert (len(runs), len(runs.limited(2)), len(runs.limited(None))) == (3, 2, 3)


def test_nets_of_50_layers_and_more_are_made_of_bottlenecks():
    assert [resnet(depth, "B", "imagenet").bottleneck for depth in (18, 34, 50, 101, 152)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert resnet(152, "B", "imagenet").blocks == (3, 8, 36, 3)
    assert plain(56).blocks == (9, 9, 9)


def test_a_batch_that_would_fill_any_memory_is_refused():
    assert problem_and_hint(lambda: replace(RECIPE, batch=1_000_000)) == (
        "`recipe.batch` is `1000000`",
        "it may be 65,536 at most",
    )


@pytest.mark.parametrize(
    ("name", "net"),
    [
        ("resnet-34-b", resnet(34, "B", "imagenet")),
        ("ResNet34B", resnet(34, "B", "imagenet")),
        ("resnet50", resnet(50, "B", "imagenet")),
        ("resnet-50-v1.5", resnet(50, "B", "imagenet", stride_in="3x3")),
        ("plain-50-stride-3x3", replace(plain(50, "imagenet"), stride_in="3x3")),
        ("plain-18", plain(18, "imagenet")),
        ("resnet-20", resnet(20)),
        ("plain-1202", plain(1202)),
        ("resnet-56-b", resnet(56, "B")),
    ],
)
def test_a_net_is_found_by_the_name_that_people_call_it_by(name, net):
    assert net_named(name) == net


@pytest.mark.parametrize(
    "net", [resnet(50), plain(152), resnet(110), plain(34, "imagenet"), resnet(34, "C", "imagenet")]
)
def test_with_its_family_every_net_is_found_by_its_own_name(net):
    assert net_named(net.name, net.family) == net


@pytest.mark.parametrize(
    ("name", "problem", "hint"),
    [
        ("vgg-16", "`vgg-16` is not the name of a net", "resnet-34-b"),
        ("resnet-51", "no CIFAR net has depth `51`", "the nearest are 50 and 56"),
        (
            "resnet-34",
            "`resnet-34` does not say its shortcut",
            "torchvision's weights are of resnet-34-b",
        ),
        ("plain-18-a", "a plain cannot have shortcut `A`", "a plain net has none"),
        (
            "resnet-18-b-v1.5",
            "`stride_in` and `zeros` do not fit `resnet-18-b`",
            "`stride_in` belongs to nets of",
        ),
    ],
)
def test_what_is_no_name_of_a_net_is_refused(name, problem, hint):
    with pytest.raises(UserError) as raised:
        net_named(name)
    assert problem in raised.value.problem
    assert hint in raised.value.hint
