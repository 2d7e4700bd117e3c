"""Where panels, key and notes stand on a figure's page, in inches."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from repro.analysis.figures import style

# Inches around the axes. The names of the curves stand at right; `error (%)` at the first panel.
LEFT, NEXT_LEFT, RIGHT, TOP, BOTTOM = 0.46, 0.26, 0.8, 0.24, 0.36
MARGIN = 0.04  # kept free along the edges of the page
KEY_LINE, NOTE_LINE = 0.14, 0.115
ENTRY_WIDTH = 0.98  # of the key
LETTERS_AN_INCH = 22.5  # of the notes, whose letters are small
PANEL_HEIGHT, STACKED_HEIGHT = 2.35, 1.75


@dataclass(frozen=True)
class PageLayout:
    """Panels stand in a row, or one under the other where they are `stacked`."""

    panels: int
    stacked: bool
    entries: int  # of the key
    notes: list[str]
    names: bool = True  # of curves, at the right of their ends

    @property
    def width(self) -> float:
        """One column of the paper, or its full width."""
        if self.panels == 1 or self.stacked:
            return style.COLUMN
        return style.PAGE

    @property
    def height(self) -> float:
        if self.stacked:
            return STACKED_HEIGHT * self.panels + self._under
        return PANEL_HEIGHT + self._under

    @property
    def lines(self) -> list[str]:
        """The notes, broken to the figure's width."""
        return textwrap.wrap(" ".join(self.notes), int((self.width - LEFT) * LETTERS_AN_INCH))

    @property
    def key_columns(self) -> int:
        return max(1, min(self.entries, int((self.width - LEFT) / ENTRY_WIDTH)))

    @property
    def key_bottom(self) -> float:
        """The lower edge of the key."""
        return MARGIN + NOTE_LINE * len(self.lines) + 0.02

    def place(self, number: int) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height of a panel's axes, as fractions of the figure."""
        if self.stacked:
            bottom = self._under + STACKED_HEIGHT * (self.panels - 1 - number) + BOTTOM
            right = RIGHT if self.names else 0.12
            width, height = self.width - LEFT - right, STACKED_HEIGHT - TOP - BOTTOM
            return self._fractions(LEFT, bottom, width, height)
        between = NEXT_LEFT * (self.panels - 1) + RIGHT * self.panels
        width = (self.width - LEFT - between) / self.panels
        left = LEFT + number * (width + RIGHT + NEXT_LEFT)
        return self._fractions(left, self._under + BOTTOM, width, PANEL_HEIGHT - TOP - BOTTOM)

    def _fractions(
        self, left: float, bottom: float, width: float, height: float
    ) -> tuple[float, float, float, float]:
        return left / self.width, bottom / self.height, width / self.width, height / self.height

    @property
    def _under(self) -> float:
        """The height of what stands under the panels."""
        lines_of_key = -(-self.entries // self.key_columns)
        return self.key_bottom + KEY_LINE * lines_of_key + 0.04
