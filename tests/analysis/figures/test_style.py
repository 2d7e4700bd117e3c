"""The look: one page of settings that neither leaks out nor lets the user's own settings in."""

from itertools import pairwise

import matplotlib as mpl
import pytest

from repro.analysis.figures import style
from repro.analysis.figures.end_labels import spread_apart


def test_our_settings_do_not_leak_and_the_user_s_do_not_enter():
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 40}):
        with style.paper():
            assert mpl.rcParams["axes.facecolor"] == "white"
            assert mpl.rcParams["font.size"] == 7
        assert mpl.rcParams["font.size"] == 40


def test_the_colours_of_a_figure_s_depths_differ():
    assert len({style.colour(depth) for depth in (20, 32, 44, 56, 110, 1202)}) == 6
    assert style.colour(18) != style.colour(34)


def test_a_depth_outside_the_paper_has_a_colour_too():
    assert style.colour(14).startswith("#")


def test_control_characters_become_visible():
    assert style.printable("a\0b\tc") == "a\ufffdb\ufffdc"


@pytest.mark.parametrize(
    "wanted", [[], [5.0], [5.0, 5.1, 5.2], [0.0, 0.1, 19.9, 20.0], [19.0, 19.5, 20.0]]
)
def test_labels_keep_their_order_their_distance_and_the_limits(wanted):
    placed = spread_apart(wanted, 1.0, 0.0, 20.0)
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in pairwise(placed))
    assert all(-1e-9 <= place <= 20 + 1e-9 for place in placed)


def test_labels_with_room_stay_where_they_belong():
    assert spread_apart([2.0, 8.0, 15.0], 1.0, 0.0, 20.0) == [2.0, 8.0, 15.0]
