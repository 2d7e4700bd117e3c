"""`--set KEY=VALUE`: what it reaches, and every word it answers with."""

from dataclasses import replace

import pytest

from experiments.recipes import CIFAR10, CIFAR10_WARMUP, IMAGENET
from repro.definition.net import plain, resnet
from repro.definition.overrides import with_overrides
from repro.definition.recipe import Warmup
from repro.definition.run import Run
from repro.errors import UserError

RUN = Run(resnet(20), CIFAR10, seed=3, scale="quick")
WARM = Run(resnet(110), CIFAR10_WARMUP)
DEEP = Run(plain(34, "imagenet"), IMAGENET)


def refused(*settings, run=RUN):
    with pytest.raises(UserError) as error:
        with_overrides(run, settings)
    return error.value.problem, error.value.hint


@pytest.mark.parametrize("key", ["recipe.rate", "rate", "recipe.learning_rate", "learning_rate"])
def test_a_path_or_its_end_sets_a_field_and_the_recipe_is_renamed(key):
    assert with_overrides(RUN, [f"{key}=0.05"]) == replace(
        RUN, recipe=replace(CIFAR10, learning_rate=0.05, name="cifar10-set")
    )


def test_the_field_nearest_the_top_is_meant():
    changed = with_overrides(WARM, ["rate=0.05", "warmup.rate=0.001"]).recipe
    assert (changed.learning_rate, changed.warmup.rate) == (0.05, 0.001)


@pytest.mark.parametrize("settings", [[], ["rate=0.1"], ["net.depth=20", "batch = 128"]])
def test_setting_what_is_there_already_is_the_same_run(settings):
    assert with_overrides(RUN, settings) == RUN


def test_the_suffix_is_given_once():
    assert (
        with_overrides(with_overrides(RUN, ["rate=0.05"]), ["batch=64"]).recipe.name
        == "cifar10-set"
    )


def test_a_whole_number_will_do_for_a_rate_and_is_the_same_run():
    assert with_overrides(RUN, ["rate=1"]).id == with_overrides(RUN, ["rate=1.0"]).id


def test_values_are_json_or_else_text():
    changed = with_overrides(
        RUN, ["drops=[10,20]", "flip=false", "decay_on=weights", 'precision="bf16"']
    ).recipe
    assert (changed.drops, changed.input.flip) == ((10, 20), False)
    assert (changed.decay_on, changed.precision) == ("weights", "bf16")


def test_a_warm_up_can_be_taken_away_or_added():
    assert with_overrides(WARM, ["warmup=null"]).recipe.warmup is None
    assert with_overrides(RUN, ["warmup.iterations=400"]).recipe.warmup == Warmup(iterations=400)


def test_a_net_stays_one_of_the_papers():
    assert with_overrides(RUN, ["depth=44"]).net == resnet(44)
    assert with_overrides(RUN, ["kind=plain"]).net == plain(20)
    assert with_overrides(RUN, ["shortcut=B"]).net == resnet(20, "B")
    assert with_overrides(DEEP, ["kind=resnet"]).net == resnet(34, "A", "imagenet")
    assert with_overrides(DEEP, ["kind=resnet", "depth=50"]).net == resnet(50, "B", "imagenet")
    assert with_overrides(DEEP, ["depth=101"]).net == plain(101, "imagenet")


def test_a_choice_by_hand_survives_where_it_fits():
    both = Run(resnet(20, zeros="both"), CIFAR10)
    assert with_overrides(both, ["depth=32"]).net == resnet(32, zeros="both")
    assert with_overrides(both, ["shortcut=B", "zeros=null"]).net == resnet(20, "B")


def test_what_cannot_go_together_is_refused():
    assert refused("kind=plain", "shortcut=A")[0] == "a plain cannot have shortcut `A`"
    assert (
        refused("shortcut=B", "zeros=both")[0] == "`stride_in` and `zeros` do not fit `resnet-20-b`"
    )
    assert refused("depth=21")[1].startswith("the nearest are 20 and 26")


@pytest.mark.parametrize("setting", ["rate", "=1", ""])
def test_a_setting_is_key_and_value(setting):
    assert refused(setting) == (
        f"`{setting}` is not a setting",
        "write KEY=VALUE, for example `rate=0.05`",
    )


def test_a_misspelt_key_leads_to_the_nearest():
    assert refused("recipe.bach=64") == (
        "there is no setting `recipe.bach`",
        "did you mean `recipe.batch`?",
    )
    assert refused("momentun=0.8") == ("there is no setting `momentun`", "did you mean `momentum`?")


@pytest.mark.parametrize(
    ("setting", "ours"),
    [
        ("lr=1", "learning_rate"),
        ("recipe.lr=1", "learning_rate"),
        ("weight_decay=1", "decay"),
        ("batch_size=1", "batch"),
        ("wd=1", "decay"),
    ],
)
def test_what_others_call_it_leads_to_our_name(setting, ours):
    assert refused(setting) == (f"there is no setting `{setting[:-2]}`", f"did you mean `{ours}`?")


def test_epochs_are_counted_in_iterations():
    assert refused("epochs=164")[1] == (
        "did you mean `iterations`? (390.6 of them are one epoch of CIFAR-10 at batch 128)"
    )


def test_a_key_far_from_all_is_answered_with_all():
    problem, hint = refused("zzz.q=1")
    assert problem == "there is no setting `zzz.q`"
    assert hint.startswith("there are `net.kind`, `net.depth`, `net.shortcut`")
    assert "`recipe.name`" not in hint


@pytest.mark.parametrize(
    ("setting", "problem", "hint"),
    [
        ("rate=fast", "`recipe.rate` cannot be `fast`", "it is a finite number"),
        ("rate=nan", "`recipe.rate` cannot be `nan`", "it is a finite number"),
        ("rate=inf", "`recipe.rate` cannot be `inf`", "it is a finite number"),
        ("rate=0,1", "`recipe.rate` cannot be `0,1`", "it is a finite number: write `0.1`"),
        ("batch=6.5", "`recipe.batch` cannot be `6.5`", "it is a whole number"),
        ("batch=1e2", "`recipe.batch` cannot be `1e2`", "it is a whole number: write `100`"),
        ("iterations=1e9", "`recipe.iterations` cannot be `1e9`", "it is a whole number"),
        ("flip=True", "`recipe.input.flip` cannot be `True`", "it is true or false: write `true`"),
        (
            "warmup=None",
            "`recipe.warmup` cannot be `None`",
            "it is null, which takes it away: write `null`",
        ),
        ("shortcut=D", "`net.shortcut` cannot be `D`", "it is one of `A`, `B`, `C` or null"),
        (
            "drops=3",
            "`recipe.drops` cannot be `3`",
            "it is a list of whole numbers such as [32000,48000]",
        ),
        ("dataset=3", "`recipe.dataset` cannot be `3`", "it is text"),
        ("recipe.warmup={}", "`recipe.warmup` cannot be `{}`", "it is null, which takes it away"),
        (
            "batch_norm_group=x",
            "`recipe.batch_norm_group` cannot be `x`",
            "it is a whole number or null",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_what_would_do(setting, problem, hint):
    assert refused(setting) == (problem, hint)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "0", "-0.1"])
def test_numbers_that_train_nothing_are_refused_by_the_spec(value):
    assert refused(f"rate={value}") == (
        f"`recipe.rate` is `{float(value)}`",
        "it must be finite and positive",
    )


def test_a_key_is_set_once():
    assert refused("rate=1", "recipe.rate=2") == ("`recipe.rate` is set twice", "set it once")
    assert refused("warmup=null", "warmup.rate=1") == (
        "`recipe.warmup.rate` is set twice",
        "`recipe.warmup` sets it too",
    )


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("seed=1", "use `--seeds`"),
        ("scale=smoke", "use `--scale`"),
        ("name=mine", "a changed recipe is named by itself"),
        (
            "family=imagenet",
            "choose another experiment: its data and recipe belong to its family of nets",
        ),
    ],
)
def test_what_is_not_a_setting_says_what_is(setting, hint):
    problem, said = refused(setting)
    assert problem.endswith("cannot be set")
    assert said == hint


@pytest.mark.parametrize(
    ("setting", "what", "most"),
    [
        ("batch=100000", "`recipe.batch`", "65,536"),
        ("iterations=1000000000", "`recipe.iterations`", "10,000,000"),
        ("evaluate_every=1000000000", "`recipe.evaluate_every`", "10,000,000"),
        ("warmup.iterations=1000000000", "`warmup.iterations`", "10,000,000"),
        ("depth=99998", "`net.depth`", "9,998"),
        ("classes=1000000", "`net.classes`", "100,000"),
        ("size=5000", "a side of `recipe.input`", "4,096"),
        ("pad=5000", "a side of `recipe.input`", "4,096"),
    ],
)
def test_a_size_that_must_be_a_slip_of_the_pen_is_refused(setting, what, most):
    value = setting.partition("=")[2]
    assert refused(setting) == (f"{what} is `{value}`", f"it may be {most} at most")


def test_a_rate_or_momentum_may_be_absurd_for_the_run_then_diverges_and_its_record_says_so():
    assert with_overrides(RUN, ["rate=1e30", "momentum=5"]).recipe.momentum == 5


def test_absurd_values_are_answered_and_cut():
    assert refused(f"drops={[*range(1000)]}") == (
        "the number of `recipe.drops` is `1000`",
        "it may be 100 at most",
    )
    assert len(refused(f"drops={[*range(99, 0, -1)]}")[0]) < 120
    assert len(refused("dataset=" + "x" * 5_000)[0]) < 140
    problem, _ = refused("batch=" + "[" * 100_000)
    assert len(problem) < 120
    assert refused("batch=" + "9" * 5_000)[1] == "it is a whole number"
