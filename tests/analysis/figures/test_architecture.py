"""Figures 3 and 5 are drawn from the nets: every layer a box, every block's shortcut an arc."""

from __future__ import annotations

from collections import Counter

import pytest
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, PathPatch

from experiments import figure3, figure5
from repro import api
from repro.analysis.figures import architecture, style
from repro.analysis.figures.architecture_boxes import Shortcut, stack_of
from repro.definition.experiment import Drawing
from repro.definition.net import resnet


def patches(figure, kind):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, kind)]


def texts(figure) -> Counter[str]:
    return Counter(text.get_text() for text in figure.axes[0].texts)


@pytest.fixture(scope="module")
def nets():
    return architecture.draw(figure3.experiment)


@pytest.fixture(scope="module")
def blocks():
    return architecture.draw(figure5.experiment)


def test_every_layer_and_every_pooling_is_a_box(nets):
    assert len(patches(nets, FancyBboxPatch)) == (19 + 5) + 2 * (34 + 2)
    said = texts(nets)
    assert (said["3×3 conv, 64"], said["7×7 conv, 64, /2"], said["3×3 conv, 512, /2"]) == (
        2 + 6 + 6,
        2,
        2,
    )
    assert (said["pool, /2"], said["avg pool"], said["fc 4096"], said["fc 1000"]) == (
        5 + 1 + 1,
        2,
        2,
        3,
    )


def test_the_sizes_of_the_maps_stand_at_left(nets):
    sizes = [
        text
        for text in nets.axes[0].texts
        if text.get_text() in ("224", "112", "56", "28", "14", "7", "1")
    ]
    assert len(sizes) == 7
    assert len({text.get_position()[0] for text in sizes}) == 1
    assert sizes[0].get_position()[0] < 0.1
    levels = [
        text.get_position()[1] for text in sorted(sizes, key=lambda text: -int(text.get_text()))
    ]
    assert levels == sorted(levels, reverse=True)


def test_sixteen_shortcuts_of_which_three_are_dotted(nets):
    dashes = [arc.get_linestyle() for arc in patches(nets, PathPatch)]
    assert len(dashes) == 16
    assert [place for place, dash in enumerate(dashes) if dash != "-"] == [3, 7, 13]


def test_layers_on_maps_of_one_size_stand_in_one_band(nets):
    levels = {
        name: [round(t.get_position()[1], 6) for t in nets.axes[0].texts if t.get_text() == name]
        for name in ("7×7 conv, 64, /2", "3×3 conv, 128, /2", "3×3 conv, 512, /2", "avg pool")
    }
    assert all(len(set(found)) == 1 for found in levels.values())


def test_each_net_says_what_it_costs(nets):
    said = texts(nets)
    assert said["19.6 billion multiply-adds"] == 1
    assert said["3.6 billion multiply-adds"] == 2


def test_no_box_and_no_text_leaves_the_page(nets, blocks):
    for figure in (nets, blocks):
        page = figure.bbox
        drawn = [*figure.axes[0].texts, *figure.axes[0].patches]
        boxes = [artist.get_window_extent(figure.canvas.get_renderer()) for artist in drawn]
        assert all(box.x0 >= page.x0 and box.x1 <= page.x1 for box in boxes)
        assert all(box.y0 >= page.y0 and box.y1 <= page.y1 for box in boxes)


def test_a_box_is_wider_than_its_text(nets):
    renderer = nets.canvas.get_renderer()
    [box, *_] = patches(nets, FancyBboxPatch)
    said = [text for text in nets.axes[0].texts if "conv" in text.get_text()]
    assert (
        max(text.get_window_extent(renderer).width for text in said)
        < box.get_window_extent(renderer).width
    )


def test_the_two_blocks_of_figure_5_with_what_they_cost(blocks):
    said = texts(blocks)
    assert (said["3×3 conv, 64"], said["1×1 conv, 64"], said["1×1 conv, 256"]) == (3, 1, 1)
    assert said["64-d"] == said["256-d"] == said["73,728 multiply-adds a position"] == 1
    assert said["69,632 multiply-adds a position"] == 1
    assert (said["relu"], said["identity"]) == (2 + 3, 2)
    assert [arc.get_linestyle() for arc in patches(blocks, PathPatch)] == ["-", "-"]


def test_an_arrow_leads_into_every_box_and_out_of_every_sum(nets, blocks):
    assert len(patches(nets, FancyArrowPatch)) == len(patches(nets, FancyBboxPatch))
    assert len(patches(blocks, FancyArrowPatch)) == 5 + 2 * 2


def test_any_net_can_be_drawn():
    figure = architecture.draw(
        Drawing("two more", (("a", resnet(20)), ("b", resnet(50, "B", "imagenet"))), 1)
    )
    assert len(patches(figure, PathPatch)) == 9 + 16
    assert texts(figure)["1×1 conv, 2048"] == 3


def test_projections_are_no_boxes_but_dotted_shortcuts():
    found = stack_of("", resnet(50, "B", "imagenet"))
    assert found.cost.projections == 4
    assert found.shortcuts[0] == Shortcut(2, 4, widens=True)
    assert sum(shortcut.widens for shortcut in found.shortcuts) == 4


def test_drawings_can_be_read_aloud():
    said = architecture.described(figure3.experiment)
    assert said.startswith(
        "VGG-19, 19 weighted layers: 3×3 conv 64, 2 times; pool /2; 3×3 conv 128, 2 times"
    )
    assert said.endswith("avg pool; fc 1000. 16 shortcuts, 3 of which increase dimensions.")


@pytest.mark.parametrize("form", api.FIGURE_FORMATS)
def test_the_same_drawing_is_the_same_bytes(nets, form):
    assert style.rendered(architecture.draw(figure3.experiment), form) == style.rendered(nets, form)
