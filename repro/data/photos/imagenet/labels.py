"""The classes of validation images that lie in one flat folder, from a file that lists them.

Looked for in this order:

    LOC_val_solution.csv                            Kaggle's list: image id, then its class first
    val.txt                                         lines of an image's name and its class
    imagenet_2012_validation_synset_labels.txt      one class a line, image 1 first
    ILSVRC2012_validation_ground_truth.txt          one number a line, image 1 first; the numbers'
        with meta.mat or map_clsloc.txt beside it   classes are in the second file

The last two are those of the development kit: its folder, its `data` alone, or its archive.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from repro.data.archives import read_tar_stream
from repro.data.photos.imagenet.image_names import LARGEST
from repro.errors import EnvironmentProblem, UserError, quote

Classes: TypeAlias = Callable[[str], str]  # the class of a validation image, by its file's name
Read: TypeAlias = Callable[[str], bytes | None]  # a file's content by its name; None: not there

KIT = "ILSVRC2012_devkit_t12"
KAGGLE, PAIRS, LIST = (
    "LOC_val_solution.csv",
    "val.txt",
    "imagenet_2012_validation_synset_labels.txt",
)
TRUTH, META, MAP = "ILSVRC2012_validation_ground_truth.txt", "meta.mat", "map_clsloc.txt"
LISTS = (KAGGLE, PAIRS, LIST, TRUTH, META, MAP)
IN_KIT = (f"{KIT}/data/", "data/", "")

HINT = f"put {KIT}.tar.gz there, or {KAGGLE}, or {LIST}: each names the validation images' classes"


def needed(where: Path, places: Iterable[Read]) -> Classes:
    """Return the classes from the first place that has them; it is an error if none has."""
    for read in places:
        for look in (_kaggle, _pairs, _list, _kit):
            classes = look(read)
            if classes is not None:
                return classes
    raise EnvironmentProblem(
        f"the classes of the validation images are not in {quote(where, 300)}", HINT
    )


def in_folder(folder: Path) -> Read:
    """Return a reader of the files in a folder; the kit's may be in the archive of it."""

    def read(name: str) -> bytes | None:
        if (folder / name).is_file():
            return (folder / name).read_bytes()
        archive = folder / f"{KIT}.tar.gz"
        if not (name.startswith(f"{KIT}/") and archive.is_file()):
            return None
        with archive.open("rb") as file:
            for member, content in read_tar_stream(file, archive.name, LARGEST):
                if str(member) == name:
                    return content
        return None

    return read


def in_zip(path: Path) -> Read:
    """Return a reader of the files in a zip, wherever in it they are."""

    with zipfile.ZipFile(path) as archive:  # of a million names, so it is gone through once
        lists = [name for name in archive.namelist() if PurePosixPath(name).name in LISTS]

    def read(name: str) -> bytes | None:
        for member in lists:
            if f"/{member}".endswith(f"/{name}"):
                with zipfile.ZipFile(path) as archive:
                    return archive.read(member)
        return None

    return read


def _kaggle(read: Read) -> Classes | None:
    content = read(KAGGLE)
    if content is None:
        return None
    rows = csv.DictReader(_text(content, KAGGLE).splitlines())
    if not {"ImageId", "PredictionString"} <= set(rows.fieldnames or ()):
        hint = f"take {KAGGLE} as Kaggle gives it"
        raise UserError(f"{KAGGLE} lacks the column `ImageId` or `PredictionString`", hint)
    # The class comes first, then its box; an image may have several boxes of one class.
    pairs = {row["ImageId"]: (row["PredictionString"] or "").split(" ")[0] for row in rows}
    return _by_name(pairs, KAGGLE)


def _pairs(read: Read) -> Classes | None:
    content = read(PAIRS)
    if content is None:
        return None
    pairs = {}
    for line in filter(str.strip, _text(content, PAIRS).splitlines()):
        name, _, label = line.strip().rpartition(" ")
        if not name or label.isdecimal():  # Caffe's and Kaggle's lists of that name have numbers
            return None
        pairs[PurePosixPath(name.strip()).stem] = label
    return _by_name(pairs, PAIRS)


def _list(read: Read) -> Classes | None:
    content = read(LIST)
    return None if content is None else _by_number(_text(content, LIST).split())


def _kit(read: Read) -> Classes | None:
    for folder in IN_KIT:
        truth = read(folder + TRUTH)
        if truth is not None:
            synsets = _synsets(read, folder)
            return _by_number(_named(_text(truth, TRUTH).split(), synsets))
    return None


def _synsets(read: Read, folder: str) -> dict[int, str]:
    meta = read(folder + META)
    if meta is not None:
        return _names_by_number(meta)
    lines = read(folder + MAP)
    if lines is not None:
        return _mapped(_text(lines, MAP))
    raise EnvironmentProblem(
        f"{TRUTH} is there, and `{META}` is not", f"put {META} or {MAP} beside it"
    )


def _names_by_number(meta: bytes) -> dict[int, str]:
    """Return the classes of meta.mat: the leaves; it lists inner nodes of WordNet, too."""
    from scipy.io import loadmat

    try:
        synsets = loadmat(BytesIO(meta), squeeze_me=True)["synsets"]
        leaves = [synset for synset in synsets if int(synset["num_children"]) == 0]
        return {int(synset["ILSVRC2012_ID"]): str(synset["WNID"]) for synset in leaves}
    except Exception as error:  # of a damaged file scipy may raise anything
        reason = f"{type(error).__name__}: {error}"
        hint = "take it from the kit again"
        raise UserError(f"cannot read {META}: {reason[:120]}", hint) from None


def _mapped(text: str) -> dict[int, str]:
    """Return the classes of lines with a class, its number and a word: `n02119789 1 kit_fox`."""
    names = {}
    for line in text.splitlines():
        match = re.match(r"(\S+) (\d+)\b", line)
        if match is None:
            hint = "each line is a class, a space and its number"
            raise UserError(f"{MAP} has the line {quote(line)}", hint)
        names[int(match.group(2))] = match.group(1)
    return names


def _named(numbers: list[str], synsets: dict[int, str]) -> list[str]:
    try:
        return [synsets[int(number)] for number in numbers]
    except (KeyError, ValueError) as error:
        problem = f"the development kit names a class {error} it does not define"
        raise UserError(problem, "download it again") from None


def _by_name(pairs: dict[str, str], source: str) -> Classes:
    def classes(name: str) -> str:
        label = pairs.get(PurePosixPath(name).stem)
        if not label:
            hint = "remove the image, or take the list that belongs to these images"
            raise UserError(f"{quote(name)} is not in {source}", hint)
        return label

    return classes


def _by_number(names: list[str]) -> Classes:
    """Return the classes by an image's number: ILSVRC2012_val_00000001.JPEG is image 1."""

    def classes(name: str) -> str:
        digits = PurePosixPath(name).stem.rpartition("_")[2]
        if not digits.isdecimal() or not 1 <= int(digits) <= len(names):
            problem = f"{quote(name)} is not one of the {len(names):,} validation images"
            hint = "are these the validation images, and is the list of classes whole?"
            raise UserError(problem, hint)
        return names[int(digits) - 1]

    return classes


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{name} is not text", "take it from where it came again") from None
