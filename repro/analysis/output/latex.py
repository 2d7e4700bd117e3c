"""Text that LaTeX prints as it stands, whatever is in it."""

from __future__ import annotations


def latex_text(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "≈": r"$\approx$",
    "–": "--",
    "—": "---",
    "…": r"\dots{}",
    "·": r"$\cdot$",
    "“": "``",
    "”": "''",
    "’": "'",
    **{small: rf"\textsuperscript{{{digit}}}" for digit, small in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    "→": r"$\rightarrow$",
    "σ": r"$\sigma$",
    "[": "{[}",  # after `\\` a bracket would be read as a length
    "]": "{]}",
    '"': r"\textquotedbl{}",
}
