"""Figures as data: what is on the axes, and that the same runs give the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import figure1, figure4, figure6, figure7
from repro import api
from repro.analysis.figures import curve_figures, style
from repro.analysis.runs.run_frames import collect
from repro.definition.experiment import Figure, Panel, Row, at_scale
from repro.definition.run import Run
from repro.protocol import catalog

ONE = Figure(  # both splits on one set of axes, as in Figure 6
    "Training on CIFAR-10",
    (replace(figure1.experiment.panels[0], title="plain", splits=("train", "test")),),
    page=8,
    digitised="figure6.csv",
)
PAPER, QUICK = catalog.load_scale("paper"), catalog.load_scale("quick")


def lines_of(axes) -> dict[str, object]:
    return {
        line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")
    }


def said_under(drawing) -> str:
    return " ".join(text.get_text() for text in reversed(drawing.texts))


def names_at_right(axes) -> dict[str, float]:
    return {text.get_text(): text.get_position()[1] for text in axes.texts}


def curve(run: Run, test: float, train: float = 1.0, points: int = 4) -> list[dict[str, float]]:
    every = run.recipe.iterations // 4
    rows = [{"iteration": every * (at_scale + 1), "train_loss": 0.1} for at_scale in range(points)]
    return [
        row | {"train_error": train, "test_error": test + 3 - at_scale}
        for at_scale, row in enumerate(rows)
    ]


def finish(finished, figure: Figure, test: dict[str, float], seeds: int = 2) -> None:
    """Write finished runs of a figure's rows.

    `test` has the error at the end of seed 0 by label; each further seed has one more.
    """
    rows = {row.label: row for panel in figure.panels for row in panel.rows}
    for label, end in test.items():
        for run in list(rows[label].runs)[:seeds]:
            finished(run, curve(run, end + run.seed), test_error=end + run.seed)


@pytest.fixture
def drawn(places, finished):
    """Two nets, finished from two seeds."""
    finish(finished, ONE, {"plain-20": 9.0, "plain-56": 13.0})
    return curve_figures.draw(ONE, collect(places), PAPER)


def test_testing_is_bold_and_training_thin_and_dashed(drawn):
    lines = lines_of(drawn.axes[0])
    assert lines["plain-20 test"].get_linewidth() > 2 * lines["plain-20 training"].get_linewidth()
    assert lines["plain-20 test"].get_linestyle() == "-"
    assert lines["plain-20 training"].is_dashed()


def test_a_depth_has_one_colour_and_two_depths_have_two(drawn):
    lines = lines_of(drawn.axes[0])
    assert lines["plain-20 test"].get_color() == lines["plain-20 training"].get_color()
    assert lines["plain-20 test"].get_color() != lines["plain-56 test"].get_color()


def test_a_line_is_the_mean_over_seeds_and_the_band_one_standard_deviation(drawn):
    axes = drawn.axes[0]
    assert list(lines_of(axes)["plain-20 test"].get_ydata()) == [12.5, 11.5, 10.5, 9.5]
    band = next(band for band in axes.collections if band.get_label() == "plain-20 test band")
    low, high = band.get_datalim(axes.transData).intervaly
    assert (low, high) == pytest.approx((9.5 - 0.5**0.5, 12.5 + 0.5**0.5))


def test_the_axes_are_the_paper_s(drawn):
    axes = drawn.axes[0]
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 64_000), (0, 20))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("iterations (1e4)", "error (%)")
    assert axes.xaxis.get_major_formatter()(32_000, 0) == "3.2"


def test_the_paper_s_own_curve_is_a_lighter_tone_thin_and_behind(drawn):
    lines = lines_of(drawn.axes[0])
    paper, ours = lines["paper plain-56 test"], lines["plain-56 test"]
    assert paper.get_color() == style.lighter(ours.get_color())
    assert paper.get_linewidth() < ours.get_linewidth()
    assert lines["paper plain-56 training"].is_dashed()
    assert paper.get_zorder() < ours.get_zorder()
    assert paper.get_ydata()[-1] == pytest.approx(13.25, abs=0.1)
    assert not [name for name in lines if name.startswith("paper plain-32")]


def test_every_net_is_named_at_the_end_of_its_curve(drawn):
    assert names_at_right(drawn.axes[0]) == pytest.approx({"plain-20": 9.5, "plain-56": 13.5})


def test_what_is_missing_is_said(drawn):
    said = said_under(drawn)
    assert "Mean of 2 seeds, band ± one standard deviation." in said
    assert "Incomplete. plain-20, plain-56: 2 of 5 seeds." in said
    assert "Scale" not in said
    assert "Data" not in said


def test_with_nothing_at_all_the_paper_s_curves_are_drawn_and_it_is_said(places):
    drawing = curve_figures.draw(figure6.experiment, collect(places), PAPER)
    note = "No run has started yet: what is drawn is the paper's, read off its figure."
    assert said_under(drawing) == note
    assert all(name.startswith("paper") for axes in drawing.axes for name in lines_of(axes))


def test_without_a_run_of_ours_nine_curves_are_told_apart_and_named(places):
    plain, residual, _ = curve_figures.draw(figure6.experiment, collect(places), PAPER).axes
    tests = {}
    for axes in (plain, residual):
        lines = lines_of(axes)
        names = {name: line for name, line in lines.items() if name.endswith("test")}
        assert len({line.get_color() for line in names.values()}) == len(names)
        assert {f"paper {name} test" for name in names_at_right(axes)} == set(names)
        tests |= names
    assert len(tests) == 9


def test_without_a_run_at_another_scale_the_paper_s_curves_stand_alone_on_its_axes(places):
    drawing = curve_figures.draw(figure4.experiment, collect(places), QUICK)
    assert "No run at scale quick has started yet: what is drawn is the paper's" in said_under(
        drawing
    )
    assert drawing.axes[0].get_xlim() == (0, 550_000)
    assert set(names_at_right(drawing.axes[0])) == {"plain-18", "plain-34"}


def test_without_runs_figure_7_shows_the_paper_s_points_and_no_empty_panel(places):
    drawing = curve_figures.draw(figure7.experiment, collect(places), PAPER)
    (ranked,) = drawing.axes
    lines = lines_of(ranked)
    assert len(lines) == 5
    assert {line.get_marker() for line in lines.values()} == {"o"}
    assert key_of(drawing) == ["plain-20", "plain-56", "ResNet-20", "ResNet-56", "ResNet-110"]


def key_of(drawing) -> list[str]:
    (key,) = drawing.legends
    assert all(axes.get_legend() is None for axes in drawing.axes)
    return [text.get_text() for text in key.get_texts()]


def test_the_one_key_has_the_kinds_of_line_that_are_drawn_as_they_are_drawn(drawn):
    assert key_of(drawn) == ["test", "training", "test, the paper", "training, the paper"]
    lines = lines_of(drawn.axes[0])
    names = ["plain-20 test", "plain-20 training", "paper plain-20 test", "paper plain-20 training"]
    for handle, name in zip(drawn.legends[0].get_lines(), names, strict=True):
        assert handle.get_linewidth() == lines[name].get_linewidth()
        assert handle.is_dashed() == lines[name].is_dashed()


@pytest.mark.parametrize("name", ["figure1", "figure4", "figure6", "figure7", "one"])
@pytest.mark.parametrize("runs", [True, False])
def test_nothing_touches_the_edge_of_the_page(places, finished, name, runs):
    figure = ONE if name == "one" else catalog.load_experiment(name)
    if runs:
        rows = [row for panel in at_scale(figure, QUICK).panels for row in panel.rows]
        for run in {next(iter(row.runs)): None for row in rows}:
            end = max(1.0, 95.0 - run.net.depth / 2)
            finished(run, curve(run, end), [17.0, 3.0, 0.2], test_error=end)
    drawing = curve_figures.draw(figure, collect(places), QUICK if runs else PAPER)
    box = drawing.get_tightbbox()  # in inches
    assert min(box.x0, box.y0) > 0.02
    assert box.x1 < drawing.get_figwidth() - 0.02
    assert box.y1 < drawing.get_figheight() - 0.02


def test_crowded_names_do_not_fan_out_of_one_point(places, finished):
    finish(finished, ONE, {"plain-20": 9.0, "plain-56": 9.1})
    axes = curve_figures.draw(ONE, collect(places), PAPER).axes[0]
    marks = [line for line in axes.get_lines() if line.get_transform() != axes.transData]
    assert len(marks) == 2
    assert all(len(set(mark.get_ydata())) == 1 for mark in marks)


def test_one_running_seed_is_drawn_as_far_as_it_is(places, write_run):
    run = next(iter(ONE.panels[0].rows[0].runs))
    write_run(run, curve(run, 9.0, points=2))
    drawing = curve_figures.draw(ONE, collect(places), PAPER)
    assert list(lines_of(drawing.axes[0])["plain-20 test"].get_xdata()) == [16_000, 32_000]
    assert "plain-20: at 32,000 of 64,000 iterations; plain-56: not started" in said_under(drawing)


def test_a_running_seed_does_not_bend_the_mean_of_the_finished_ones(places, finished, write_run):
    finish(finished, ONE, {"plain-20": 9.0}, seeds=1)
    third = list(ONE.panels[0].rows[0].runs)[2]
    write_run(third, curve(third, 80.0, points=2))
    drawing = curve_figures.draw(ONE, collect(places), PAPER)
    assert list(lines_of(drawing.axes[0])["plain-20 test"].get_ydata()) == [12, 11, 10, 9]


def test_a_diverged_run_is_named_and_its_nan_not_drawn(places, diverged):
    run = next(iter(ONE.panels[0].rows[0].runs))
    diverged(
        run, 32_000, [*curve(run, 9.0, points=1), {"iteration": 32_000, "test_error": float("nan")}]
    )
    drawing = curve_figures.draw(ONE, collect(places), PAPER)
    assert list(lines_of(drawing.axes[0])["plain-20 test"].get_xdata()) == [16_000]
    assert "plain-20: 0 of 5 seeds, 1 diverged" in said_under(drawing)


def test_a_net_above_the_paper_s_limits_is_named_with_its_level(places, finished):
    plain = figure6.experiment.panels[0].rows[0]
    figure = Figure("one", (Panel("plain", (plain,), (0, 6.4), (0, 20)),), 8)
    finish(finished, figure, {"plain-20": 72.0}, seeds=1)
    axes = curve_figures.draw(figure, collect(places), PAPER).axes[0]
    assert axes.get_ylim() == (0, 20)
    assert "plain-20\n↑ 72.0" in names_at_right(axes)


def test_another_scale_has_its_own_iterations_and_says_so_without_the_paper_s_curves(
    places, finished
):
    finish(finished, at_scale(ONE, QUICK), {"plain-20": 30.0, "plain-56": 41.0}, seeds=1)
    drawing = curve_figures.draw(ONE, collect(places), QUICK)
    axes = drawing.axes[0]
    assert axes.get_xlim() == (0, 1_600)
    assert axes.get_ylim()[1] > 41
    assert axes.get_xlabel() == "iterations"
    assert axes.xaxis.get_major_formatter()(3_000, 0) == "3,000"
    assert "Scale quick, 1,600 iterations: not comparable with the paper" in said_under(drawing)
    assert not [name for name in lines_of(axes) if name.startswith("paper")]


def test_a_panel_without_runs_takes_no_room_where_others_have_some(places, finished):
    finish(finished, at_scale(ONE, QUICK), {"plain-20": 30.0}, seeds=1)
    drawing = curve_figures.draw(figure6.experiment, collect(places), QUICK)
    assert [axes.get_title(loc="left") for axes in drawing.axes] == ["plain"]


def test_a_panel_does_not_repeat_what_another_one_shows_of_the_same_net(places, finished):
    scaled = at_scale(figure6.experiment, QUICK)
    finish(finished, scaled, {"ResNet-20": 30.0, "ResNet-110": 40.0}, seeds=1)
    titles = [axes.get_title(loc="left") for axes in draw_quick(places).axes]
    assert titles == ["ResNet"]  # the right panel has ResNet-110 and, as yet, no ResNet-1202
    finish(finished, scaled, {"ResNet-1202": 50.0}, seeds=1)
    titles = [axes.get_title(loc="left") for axes in draw_quick(places).axes]
    assert titles == ["ResNet", "ResNet-110 and ResNet-1202"]


def draw_quick(places):
    return curve_figures.draw(figure6.experiment, collect(places), QUICK)


def test_axes_with_nothing_on_them_say_so(places):
    figure = replace(ONE, digitised=None)
    (axes,) = curve_figures.draw(figure, collect(places), PAPER).axes
    assert "no run yet" in [text.get_text() for text in axes.texts]


def test_a_data_set_that_is_not_the_paper_s_is_named(places, finished):
    run = next(iter(ONE.panels[0].rows[0].runs))
    finished(run, curve(run, 9.0), data={"origin": "imported"}, test_error=9.0)
    assert "Data: cifar10 (imported)." in said_under(
        curve_figures.draw(ONE, collect(places), PAPER)
    )


def test_a_figure_of_errors_says_that_the_test_images_were_trained_on(places, finished):
    run = next(iter(ONE.panels[0].rows[0].runs))
    finished(run, curve(run, 0.8), [1.0], data={"tested_on_training_images": True}, test_error=0.8)
    note = (
        "The test images are the training images: their errors say nothing about images not seen."
    )
    assert note in said_under(curve_figures.draw(ONE, collect(places), PAPER))
    assert note not in said_under(curve_figures.draw(figure7.experiment, collect(places), PAPER))


def test_responses_are_drawn_in_the_net_s_order_and_by_magnitude(places, finished):
    run = next(iter(figure7.experiment.panels[0].rows[0].runs))
    finished(run, responses=[1.0, 3.0, 2.0], test_error=9.0)
    ordered, ranked = curve_figures.draw(figure7.experiment, collect(places), PAPER).axes
    label = figure7.experiment.panels[0].rows[0].label
    assert list(lines_of(ordered)[label].get_ydata()) == [1, 3, 2]
    assert list(lines_of(ranked)[label].get_ydata()) == [3, 2, 1]
    assert lines_of(ranked)[label].is_dashed() == label.startswith("plain")


def test_at_another_scale_no_curve_ends_below_the_axes(places, finished):
    scaled = at_scale(figure4.experiment, QUICK)
    finish(finished, scaled, {"plain-18": 93.0, "ResNet-18": 1.0}, seeds=1)
    assert curve_figures.draw(figure4.experiment, collect(places), QUICK).axes[0].get_ylim() == (
        0,
        100,
    )


def test_the_axes_of_responses_are_the_paper_s_and_at_another_scale_wide_enough_for_what_was_found(
    places, finished
):
    run = next(iter(figure7.experiment.panels[0].rows[0].runs))
    for scale in (PAPER, QUICK):
        finished(scale(run), responses=[17.0, 3.0, 0.2], test_error=9.0)
        axes = curve_figures.draw(figure7.experiment, collect(places), scale).axes[0]
        if scale is QUICK:
            assert (axes.get_ylim(), axes.get_yscale()) == ((0.2, 18), "log")
            assert axes.get_ylabel() == "std of response (log scale)"
            assert axes.get_xlim() == (0, 4)


@pytest.mark.parametrize("label", [r"$\input{x}$", "lone $", "under_score", "nul\0", "<b>&amp;"])
def test_a_hostile_label_is_only_text(places, finished, label):
    row = ONE.panels[0].rows[0]
    figure = Figure(label, (Panel(label, (Row(label, row.runs),), (0, 6.4), (0, 20)),), 1)
    finish(finished, figure, {label: 9.0}, seeds=1)
    drawing = curve_figures.draw(figure, collect(places), PAPER)
    assert label.replace("\0", "\ufffd") in names_at_right(drawing.axes[0])
    assert all(style.rendered(drawing, form) for form in api.FIGURE_FORMATS)


def test_two_processes_two_hash_seeds_and_two_locales_write_the_same_bytes(
    places, finished, tmp_path
):
    finish(finished, figure1.experiment, {"plain-20": 9.0, "plain-56": 13.0})
    code = (
        "import locale, sys; locale.setlocale(locale.LC_ALL, '')\n"
        "from pathlib import Path; from dataclasses import replace\n"
        "from repro.protocol import catalog; from repro.storage import paths\n"
        "from repro.analysis.figures import architecture, curve_figures, style\n"
        "from repro.analysis.runs import run_frames\n"
        "scale = catalog.load_scale('paper')\n"
        "places = replace(paths.places(), figures=Path(sys.argv[1]))\n"
        "figure, collected = catalog.load_experiment('figure1'), run_frames.collect(places)\n"
        "drawing = curve_figures.draw(figure, collected, scale)\n"
        "curve_figures.write('figure1', drawing, places, 'paper', ('svg', 'pdf', 'png'))\n"
        "nets = architecture.draw(catalog.load_experiment('figure3'))\n"
        "curve_figures.write('figure3', nets, places, 'paper', ('svg', 'pdf', 'png'))"
    )
    written = []
    for number, locale in enumerate(("C", "C.UTF-8")):
        out = tmp_path / f"process {number}"
        environment = os.environ | {
            "PYTHONHASHSEED": str(number),
            "LC_ALL": locale,
            "MPLBACKEND": "svg",
        }
        environment |= {"REPRO_RESULTS": str(places.results), "SOURCE_DATE_EPOCH": str(number)}
        subprocess.run(
            [sys.executable, "-c", code, str(out)], check=True, env=environment, timeout=120
        )
        written.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})
    assert written[0] == written[1]
    assert list(written[0]) == [
        f"{name}.{form}" for name in ("figure1", "figure3") for form in ("pdf", "png", "svg")
    ]


def test_files_carry_no_date_and_embed_their_fonts(drawn):
    assert b"Date" not in style.rendered(drawn, "pdf")
    assert b"/FontFile2" in style.rendered(drawn, "pdf")
    assert b"<dc:date>" not in style.rendered(drawn, "svg")


@pytest.mark.parametrize("scale", ["tenth", "quick"])
def test_figures_of_a_scale_have_their_own_folder(places, drawn, scale):
    paths = curve_figures.write("figure1", drawn, places, scale, ["svg"])
    assert paths == [places.figures / scale / "figure1.svg"]
    assert Path(paths[0]).read_bytes().startswith(b"<?xml")


def test_a_panel_shows_the_splits_it_declares(places, finished):
    finish(finished, figure1.experiment, {"plain-20": 9.0}, seeds=1)
    training, test = curve_figures.draw(figure1.experiment, collect(places), PAPER).axes
    assert [name for name in lines_of(training) if "paper" not in name] == ["plain-20 training"]
    assert [name for name in lines_of(test) if "paper" not in name] == ["plain-20 test"]
    assert names_at_right(training) == pytest.approx({"plain-20": 1.0, "plain-56": 5.74})


def test_the_figure_can_be_read_aloud(places, finished):
    finish(finished, ONE, {"plain-20": 9.0}, seeds=1)
    said = curve_figures.described(ONE, collect(places), PAPER)
    assert said.startswith(
        "plain-20 ends at training error 1.0 % and test error 9.0 %. One seed each."
    )
