"""What is selected on the command line and from Python: names, groups, patterns of run ids,
parts."""

from __future__ import annotations

import pytest

from repro.definition.experiment import Figure, Table, runs_of
from repro.errors import UserError
from repro.protocol import catalog
from repro.protocol.selection import Selection, select


def ids(*names: str, **options: object) -> list[str]:
    return [run.id for run in select(*names, **options).runs()]  # type: ignore[arg-type]


def test_names_and_groups_select_all_runs_of_their_experiments() -> None:
    assert ids("table6", scale="smoke") == [
        run.id for run in runs_of(select("table6", scale="smoke").experiments_at_scale()["table6"])
    ]
    group = set(ids("cifar10", scale="smoke"))
    for name in catalog.GROUPS["cifar10"]:
        assert set(ids(name, scale="smoke")) <= group


def test_a_pattern_selects_runs_by_their_ids_whatever_experiment_has_them() -> None:
    runs = ids("resnet-20.*", scale="smoke")
    assert runs
    assert all(run_id.startswith("resnet-20.") for run_id in runs)
    assert ids(runs[0], scale="smoke") == [runs[0]]


def test_a_pattern_of_names_selects_experiments() -> None:
    chosen = select("table[12]", scale="smoke")
    assert list(chosen.experiments_at_scale()) == ["table1", "table2"]


def test_an_exclamation_mark_leaves_runs_out() -> None:
    whole = set(ids("figure6", scale="smoke"))
    assert set(ids("figure6", "!*110*", scale="smoke")) == {i for i in whole if "110" not in i}
    assert not set(ids("figure6", "!table6", scale="smoke")) & set(ids("table6", scale="smoke"))


def test_only_and_skip_take_texts_and_patterns() -> None:
    whole = ids("table6", scale="smoke")
    assert ids("table6", scale="smoke", only=["resnet-20."]) == [
        i for i in whole if "resnet-20." in i
    ]
    assert ids("table6", scale="smoke", skip=["*1202*", "resnet-110"]) == [
        i for i in whole if "1202" not in i and "resnet-110" not in i
    ]


def test_rows_panels_and_claims_without_a_selected_run_are_left_out() -> None:
    chosen = select("table6", "figure6", scale="smoke", only=["resnet-20."])
    pages = chosen.experiments_at_scale()
    table, figure = pages["table6"], pages["figure6"]
    assert isinstance(table, Table)
    assert isinstance(figure, Figure)
    assert [row.label for row in table.rows] == ["ResNet-20"]
    assert [row.label for panel in figure.panels for row in panel.rows] == ["ResNet-20"]
    declared = chosen.declared()["table6"]
    assert isinstance(declared, Table)
    assert [row.label for row in declared.rows] == ["ResNet-20"]
    assert len(declared.claims) == len(table.claims)


def test_seeds_variants_and_settings_change_the_runs_and_are_said_again_as_words() -> None:
    chosen = select("table6", scale="quick", seeds=2, variants=["ghost"], settings=["batch=64"])
    assert {run.seed for run in chosen.runs()} == {0, 1}
    assert {run.recipe.batch for run in chosen.runs()} == {64}
    assert chosen.words() == ("--seeds", "2", "--variant", "ghost", "--set", "batch=64")
    assert chosen.chosen_scale().note == "With variant ghost, batch=64."


def test_a_part_is_named_so_that_nothing_takes_the_place_of_the_whole() -> None:
    scale = select("table6", only=["resnet-20"]).chosen_scale()
    assert scale.named("table6") == "table6-only-resnet-20"


def test_a_selection_can_be_the_start_of_another_one() -> None:
    first = Selection(("table6",), "smoke", seeds=1)
    assert select(first, only=["resnet-20"]) == Selection(
        ("table6",), "smoke", seeds=1, only=("resnet-20",)
    )


@pytest.mark.parametrize(
    ("names", "options", "problem", "hint"),
    [
        (["tabel6"], {}, "no experiment named `tabel6`", "did you mean `table6`?"),
        (["resnet-21*"], {}, "no run at scale paper matches `resnet-21*`", "`repro show"),
        (["table6"], {"only": ["x"], "skip": ["y"]}, "no run's id contains `x`", "`repro show"),
        (["table6"], {"variants": ["gost"]}, "no variant named `gost`", "did you mean `ghost`?"),
    ],
)
def test_what_selects_nothing_is_a_mistake(
    names: list[str], options: dict[str, object], problem: str, hint: str
) -> None:
    with pytest.raises(UserError) as caught:
        ids(*names, **options)
    assert caught.value.problem.startswith(problem)
    assert caught.value.hint.startswith(hint)


def test_what_is_not_reproduced_cannot_be_selected_for_training() -> None:
    with pytest.raises(UserError, match="`table7` is not reproduced here"):
        select("table7").reproduced()
