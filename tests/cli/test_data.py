"""`repro data`, as it is typed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from PIL import Image

from repro.cli import main
from repro.data import registry
from repro.data.photos import attested
from repro.data.photos.attested import Attested
from repro.data.small import cifar10
from repro.data.small.official_cifar10 import describe
from repro.storage.paths import Places
from tests.data.small.small_cifar import binary_version, cifar


def repro(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `repro data …`."""
    with pytest.raises(SystemExit) as ended:
        main(["data", *map(str, words)])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """An archive of two classes of 32×32 images."""
    with tarfile.open(tmp_path / "images.tar.gz", "w:gz") as archive:
        for number, name in enumerate(
            f"{part}/{label}/0.png" for part in ("train", "test") for label in "ab"
        ):
            content = io.BytesIO()
            Image.new("RGB", (32, 32), (number, 0, 0)).save(content, "PNG")
            member = tarfile.TarInfo(name)
            member.size = len(content.getvalue())
            archive.addfile(member, io.BytesIO(content.getvalue()))
    return tmp_path / "images.tar.gz"


def test_list_shows_every_set_and_where_it_would_be(capsys, here: Places) -> None:
    code, out, _ = repro(capsys, "list")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert [line[0] for line in lines] == [
        "name",
        "cifar10",
        "imagenet",
        "generated",
        "generated-photos",
    ]
    assert lines[1][1] == "missing"
    assert lines[1][-1] == str(here.data / "cifar10")
    assert not here.data.exists()


def test_what_was_imported_is_listed_and_checked(capsys, images: Path, here: Places) -> None:
    code, out, err = repro(capsys, "import", "cifar10", images)
    assert (code, err.splitlines()[0]) == (0, f"reading {images}")
    assert (
        "cifar10 is not the official one: 0 of 60,000 images are official; the first that is not: train image 0"
        in err
    )
    assert out.splitlines()[1].split()[:5] == ["cifar10", "ready", "imported", "2", "2"]
    assert repro(capsys, "check", "cifar10")[0] == 0
    row = json.loads(repro(capsys, "list", "--json")[1])["sets"][0]
    assert (row["state"], row["origin"], row["classes"], len(row["hash"])) == (
        "ready",
        "imported",
        2,
        64,
    )


def test_official_pixels_are_listed_and_checked_as_such(
    capsys, tmp_path: Path, monkeypatch
) -> None:
    arrays = cifar(train=20, test=8)
    monkeypatch.setattr(registry, "official_cifar10", lambda: describe(arrays))
    folder = binary_version(tmp_path / "cifar-10-batches-bin", arrays)
    for words in (("import", "cifar10", folder), ("list",), ("check",)):
        code, out, _ = repro(capsys, *words)
        assert code == 0
        assert out.splitlines()[1].split("\t")[:5] == [
            "cifar10",
            "ready",
            "official pixels",
            "20",
            "8",
        ]


def photos(folder: Path, each: int) -> Path:
    """Two classes of so many photos, in no split."""
    for label in "ab":
        (folder / label).mkdir(parents=True)
        for number in range(each):
            Image.new("RGB", (40, 40), (number, 0, 9)).save(folder / label / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("each", "word", "said"),
    [
        (
            5,
            "held out",
            "came without a split: one image in 5 of each class held out for validation, the lowest",
        ),
        (
            1,
            "train = test",
            "came without a split: some class has one image only, so every image is for training",
        ),
    ],
)
def test_a_split_that_was_made_here_is_said_at_once_and_in_every_list(
    capsys, tmp_path, each, word, said
):
    for words in (("import", "imagenet", photos(tmp_path / "in", each)), ("list",), ("check",)):
        _, out, err = repro(capsys, *words)
        [line] = [line.split("\t") for line in out.splitlines() if line.startswith("imagenet\t")]
        assert line[5] == word
        assert said in err


def test_a_split_that_came_with_the_set_needs_no_word(capsys, images: Path) -> None:
    _, out, err = repro(capsys, "import", "pets", images)
    assert out.splitlines()[1].split("\t")[5] == "given"
    assert "came without" not in err
    assert json.loads(repro(capsys, "list", "--json")[1])["sets"][-1]["split"] == "as given"


def test_a_corrupt_image_in_an_archive_is_called_by_its_name_there(capsys, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "images.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("train/a/0.png"), io.BytesIO())
    for name in ("pets", "imagenet"):
        code, _, err = repro(capsys, "import", name, tmp_path / "images.tar")
        assert (code, "BytesIO" in err) == (2, False)
        assert "`train/a/0.png`" in err


def test_a_set_is_resized_into_one_of_another_name(capsys, tmp_path: Path, here: Places) -> None:
    repro(capsys, "import", "imagenet", photos(tmp_path / "in", 5))
    code, out, _ = repro(capsys, "resize", "imagenet", 20)
    assert code == 0
    name, state, origin, *_, split, _, where = out.splitlines()[1].split("\t")
    assert (name, state) == ("imagenet-20", "ready")
    assert origin == "imported, resized: shorter side at most 20"
    assert (split, where) == ("held out", str(here.data / "imagenet-20"))


def test_only_photos_that_are_there_are_resized(capsys, images: Path) -> None:
    code, _, err = repro(capsys, "resize", "imagenet", 480)
    assert (code, "no data set `imagenet` in" in err) == (4, True)
    repro(capsys, "import", "pets", images)
    code, _, err = repro(capsys, "resize", "pets", 480)
    assert (code, "`pets` has no photos of many sizes" in err) == (2, True)


def test_json_is_one_document_with_a_schema(capsys, images: Path) -> None:
    for words in (("import", "pets", images), ("list",), ("check",), ("prepare", "generated")):
        _, out, _ = repro(capsys, *words, "--json")
        assert json.loads(out)["schema"] == 1


def test_check_finds_a_changed_byte_and_says_what_to_do(capsys, images: Path, here: Places) -> None:
    repro(capsys, "import", "cifar10", images)
    path = here.data / "cifar10/test.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    code, out, err = repro(capsys, "check")
    assert code == 4
    assert out.splitlines()[1].split()[:2] == ["cifar10", "damaged"]
    assert "has changed: expected SHA-256" in err
    assert "hint: `repro data prepare cifar10 --replace` makes it again" in err


@pytest.mark.parametrize("file", ["train.npy", "test_labels.npy"])
def test_list_says_that_an_array_that_was_cut_is_damaged(
    capsys, images: Path, here: Places, file: str
) -> None:
    repro(capsys, "import", "cifar10", images)
    path = here.data / "cifar10" / file
    path.write_bytes(path.read_bytes()[:-5])
    code, out, err = repro(capsys, "list")
    assert code == 0
    assert out.splitlines()[1].split()[:2] == ["cifar10", "damaged"]
    assert "cannot read data set `cifar10`" in err


def test_list_says_that_a_pack_that_was_cut_is_damaged(
    capsys, tmp_path: Path, here: Places
) -> None:
    repro(capsys, "import", "imagenet", photos(tmp_path / "in", 5))
    path = here.data / "imagenet/photos.pack"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:100])
    _, out, err = repro(capsys, "list")
    assert out.splitlines()[2].split()[:2] == ["imagenet", "damaged"]
    assert f"it has 100 bytes, not {size:,}" in err


def test_check_prints_the_digest_of_a_set_of_photos_and_asks_nobody_to_attest_a_sample(
    capsys, tmp_path
) -> None:
    repro(capsys, "import", "imagenet", photos(tmp_path / "in", 5))
    digest = json.loads(repro(capsys, "list", "--json")[1])["sets"][1]["hash"]
    code, out, err = repro(capsys, "check", "imagenet")
    assert code == 0
    assert out.splitlines()[-1] == f"imagenet has the digest {digest}"
    assert "attest" not in err


def test_check_of_the_official_archives_prints_the_lines_that_attest_them(
    capsys, tmp_path, here: Places
) -> None:
    repro(capsys, "import", "imagenet", photos(tmp_path / "in", 5))
    record = here.data / "imagenet/dataset.json"
    values = json.loads(record.read_text())
    record.write_text(json.dumps(values | {"origin": "official archive"}))
    _, _, err = repro(capsys, "check", "imagenet")
    assert "hint: nobody has attested this digest: add to repro/data/photos/attested.toml" in err
    lines = err[err.index("[[imagenet") :]
    (entry,) = tomllib.loads(lines)["imagenet"]["attested"]
    assert entry["hash"] == values["hash"]
    assert set(entry) == {field.name for field in fields(Attested)}


def test_check_of_an_attested_set_says_who_computed_its_digest(
    capsys, tmp_path, monkeypatch
) -> None:
    repro(capsys, "import", "imagenet", photos(tmp_path / "in", 5))
    digest = json.loads(repro(capsys, "list", "--json")[1])["sets"][1]["hash"]
    entry = f'[[imagenet.attested]]\nhash = "{digest}"\nby = "Ada"\non = "day 1"\nsource = "tars"\n'
    (tmp_path / "attested.toml").write_text(attested.FILE.read_text() + entry)
    monkeypatch.setattr(attested, "FILE", tmp_path / "attested.toml")
    _, out, _ = repro(capsys, "check", "imagenet")
    assert out.splitlines()[-1].endswith("computed by Ada on day 1 from tars")
    assert "\tofficial pixels\t" in out


def test_check_of_a_missing_set_exits_with_4(capsys) -> None:
    code, out, _ = repro(capsys, "check", "cifar10")
    assert code == 4
    assert out.splitlines()[1].split()[:2] == ["cifar10", "missing"]


def test_prepare_without_a_network_says_how_to_import(capsys, monkeypatch, here: Places) -> None:
    monkeypatch.setattr(cifar10, "URL", "http://127.0.0.1:9/x")
    code, out, err = repro(capsys, "prepare", "cifar10")
    assert (code, out) == (4, "")
    assert "Error: cannot download" in err
    assert "then `repro data import cifar10 cifar-10-python.tar.gz`" in err
    assert not here.data.exists()


def test_prepare_leaves_an_imported_set_alone(capsys, images: Path) -> None:
    repro(capsys, "import", "cifar10", images)
    code, _, err = repro(capsys, "prepare", "cifar10")
    assert code == 4
    assert "is imported" in err
    assert "hint: `repro data prepare cifar10 --replace` puts the official one in its place" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("prepare", "cifr10"), 2, "did you mean `cifar10`?"),
        (
            ("prepare", "imagenet"),
            4,
            "ImageNet is not downloaded: its licence is between you and image-net.org",
        ),
        (("import", "generated", "."), 2, "`generated` is drawn by rule and cannot be imported"),
        (("import", "pets", "/nowhere/at/all"), 4, "there is nothing at `/nowhere/at/all`"),
        (("import", "../pets", "IMAGES"), 2, "`../pets` is not a name for a data set"),
        (("check", "../pets"), 2, "`../pets` is not a name for a data set"),
        (("frob",), 2, "no command named `frob`"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_made(
    capsys, images: Path, here: Places, words: tuple[str, ...], code: int, said: str
) -> None:
    found, out, err = repro(capsys, *(str(images) if word == "IMAGES" else word for word in words))
    assert (found, out) == (code, "")
    assert said in err
    assert not here.data.exists()


def test_listing_does_not_load_torch() -> None:
    script = (
        "import sys; from pathlib import Path; from repro.data import registry; "
        "registry.all_datasets(Path('nowhere')); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
