"""Other labs: what they may be called, and the file in which each says who it is.

Their records lie in `results/labs/NAME`, beside `lab.json`, which is written once. A folder without
that file is not read: nobody answers for what is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from repro.errors import UserError, is_printable, printable, quote
from repro.storage.atomic import create_exclusive, to_json
from repro.storage.paths import run_folders, unprintable_names
from repro.storage.typed_file import read_regular

OURS = "ours"  # the lab of this results folder: its working and its published runs
FILE = "lab.json"
SCHEMA = 1
LONGEST_NAME = 40
LARGEST_FILE = 10_000  # bytes

# Names that mean something else in tables and folders, or that Windows gives to devices.
_TAKEN = ("ours", "theirs", "paper", "all", "none", "runs", "published", "labs", "lab", "quick")
_DEVICE = re.compile(r"con|prn|aux|nul|(com|lpt)\d")

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ADDRESS = re.compile(r"https://[^\s/@]+\.[^\s/@]+(/\S*)?|[^\s@/]+@[^\s@/]+\.[^\s@/]+")
_ORCID = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")


class Lab(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=False):
    """Who a lab is, and how its people are reached."""

    lab: str  # the name of its folder
    name: str  # as a reader is told it
    contact: str  # a page or an e-mail address
    orcid: str | None = None  # of the person who answers
    schema: int = SCHEMA


def check_lab_name(name: str) -> str:
    """Return the name, if a lab may be called so."""
    if len(name) > LONGEST_NAME or not _SLUG.fullmatch(name):
        hint = f"use 1 to {LONGEST_NAME} of a–z 0–9, with single dashes between: `vision-lab-2`"
        raise UserError(f"{quote(name)} is not a name for a lab", hint)
    if name in _TAKEN or _DEVICE.fullmatch(name):
        raise UserError(
            f"no lab can be called {quote(name)}: the name means something else here",
            "choose one that your colleagues recognise: `kyoto-vision`",
        )
    return name


def check_lab(lab: Lab) -> Lab:
    """Return the lab, if what it says of itself can be used."""
    check_lab_name(lab.lab)
    if not lab.name.strip() or len(lab.name) > 120 or not is_printable(lab.name):
        problem = f"a lab's full name is {quote(lab.name)}"
        raise UserError(problem, "write 1 to 120 printable characters")
    if len(lab.contact) > 200 or not _ADDRESS.fullmatch(lab.contact):
        problem = f"a lab's contact is {quote(lab.contact)}"
        raise UserError(problem, "give a page (`https://…`) or an e-mail address")
    if lab.orcid is not None and not _is_orcid(lab.orcid):
        problem = f"{quote(lab.orcid)} is no ORCID iD: its digits or its check digit are wrong"
        raise UserError(problem, "write it as `0000-0002-1825-0097`")
    return lab


def read_lab(folder: Path) -> Lab:
    """Return who the lab of this folder is; raise an error where the folder does not say."""
    path = folder / FILE
    content = read_regular(path)
    if content is None:
        hint = "`repro publish --lab` writes it; docs/contributing-a-record.md says how"
        raise UserError(f"{quote(folder.name)} has no {FILE}", hint)
    hint = f"write `lab`, `name`, `contact` and, if you like, `orcid` into {FILE}"
    if len(content) > LARGEST_FILE:
        raise UserError(f"{FILE} has {len(content):,} bytes", hint)
    try:
        lab = msgspec.json.decode(content, type=Lab)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{FILE} does not say who the lab is: {error}", hint) from None
    check_lab(lab)
    if lab.lab != folder.name:
        problem = f"{FILE} is of {quote(lab.lab)}, in the folder of {quote(folder.name)}"
        raise UserError(problem, "name the folder as the file names the lab")
    return lab


def write_lab(folder: Path, lab: Lab) -> None:
    """Write who the lab is, once; a folder that has its file must say the same."""
    check_lab(lab)
    if create_exclusive(folder / FILE, to_json(msgspec.to_builtins(lab))):
        return
    if read_lab(folder) != lab:
        problem = f"{quote(folder / FILE, 300)} says something else of {quote(lab.lab)}"
        raise UserError(problem, "leave the options out, or edit the file")


def lab_folders(parent: Path) -> Iterator[Path]:
    """Yield the folders in `parent` whose lab says who it is, by name."""
    for folder in _candidates(parent):
        if not problem_of(folder):
            yield folder


def lab_problems(parent: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of each folder that is not read as a lab's, and why."""
    for name in unprintable_names(parent):
        yield name, "its name has characters that cannot be shown"
    for folder in _candidates(parent):
        if problem := problem_of(folder):
            yield folder.name, problem


def problem_of(folder: Path) -> str:
    """Return why a folder is not read as a lab's; empty where it is."""
    try:
        check_lab_name(folder.name)
        if folder.is_symlink():
            return "it is a link, which a clone would not have"
        read_lab(folder)
    except UserError as error:
        return printable(error.problem)
    return ""


def _candidates(parent: Path) -> Iterator[Path]:
    return (folder.path for folder in run_folders(parent))


def _is_orcid(text: str) -> bool:
    """Return whether the last digit is the check digit of the others: ISO 7064, mod 11-2."""
    if not _ORCID.fullmatch(text):
        return False
    digits = text.replace("-", "")
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return digits[-1] == "0123456789X"[(12 - total % 11) % 11]
