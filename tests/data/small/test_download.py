"""A download goes on where it broke off, from any address; what is not official is not kept."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from repro.data import registry
from repro.data.registry import dataset_info, import_set, prepare
from repro.data.small import cifar10
from repro.data.small.image_arrays import content_hash
from repro.data.small.official_cifar10 import describe
from repro.errors import EnvironmentProblem, UserError
from tests.data.small.small_cifar import cifar, npz_version, shuffled

OFFICIAL = cifar()


class Server(ThreadingHTTPServer):
    """A server of one file that may break off, and remembers which ranges it was asked for."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.most = len(content)  # bytes that one answer has before it breaks off
        self.knows_ranges = True
        self.tells_length = True
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/cifar10.npz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content, asked = self.server.content, self.headers.get("Range")
        self.server.asked.append(asked)
        start = 0
        if asked and self.server.knows_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.server.tells_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : start + self.server.most])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of the official images, in an .npz file and in another order."""
    monkeypatch.setattr(registry, "official_cifar10", lambda: describe(OFFICIAL))
    with Server(npz_version(tmp_path / "served.npz", shuffled(OFFICIAL, 3)).read_bytes()) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def partial(folder: Path, server: Server) -> Path:
    return cifar10.partial_path(folder, server.url)


def test_official_pixels_from_any_address_are_kept(server: Server, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    known = prepare(
        "cifar10",
        tmp_path / "data",
        progress=lambda done, of: steps.append((done, of)),
        url=server.url,
    )
    assert (known.state, known.origin, known.hash) == (
        "ready",
        "official pixels",
        content_hash(OFFICIAL),
    )
    assert steps[-1] == (len(server.content), len(server.content))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cifar10"]


def test_a_download_that_breaks_off_goes_on_at_once_as_long_as_bytes_come(
    server: Server, tmp_path: Path
) -> None:
    server.most = 100_000
    assert prepare("cifar10", tmp_path / "data", url=server.url).origin == "official pixels"
    whole = range(0, len(server.content), server.most)
    assert server.asked == [f"bytes={start}-" if start else None for start in whole]


def test_a_download_of_an_earlier_command_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    partial(tmp_path / "data", server).write_bytes(server.content[:150_000])
    assert prepare("cifar10", tmp_path / "data", url=server.url).origin == "official pixels"
    assert server.asked == ["bytes=150000-"]


def test_a_download_that_was_whole_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    partial(tmp_path / "data", server).write_bytes(server.content)
    assert prepare("cifar10", tmp_path / "data", url=server.url).origin == "official pixels"
    assert server.asked == [f"bytes={len(server.content)}-"]


@pytest.mark.parametrize("tells_length", [True, False])
def test_a_server_that_knows_no_ranges_sends_all_of_it_again(
    server: Server, tmp_path: Path, tells_length: bool
) -> None:
    (tmp_path / "data").mkdir()
    server.knows_ranges, server.tells_length = False, tells_length
    partial(tmp_path / "data", server).write_bytes(b"something else" * 100_000)
    assert prepare("cifar10", tmp_path / "data", url=server.url).origin == "official pixels"


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    partial(tmp_path / "data", server).write_bytes(server.content + b"more")
    assert prepare("cifar10", tmp_path / "data", url=server.url).origin == "official pixels"
    assert server.asked == [f"bytes={len(server.content) + 4}-", None]


def test_a_part_of_another_file_costs_one_more_try(server: Server, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    partial(tmp_path / "data", server).write_bytes(bytes(150_000))
    with pytest.raises(EnvironmentProblem, match="cannot be read"):
        prepare("cifar10", tmp_path / "data", url=server.url)
    assert prepare("cifar10", tmp_path / "data", url=server.url).origin == "official pixels"


def test_a_download_that_gets_no_further_says_how_far_it_is_and_what_to_do(
    server: Server, tmp_path: Path
) -> None:
    server.most, server.knows_ranges = 100_000, False
    problem = re.escape(f"it broke off after 100,000 of {len(server.content):,} bytes")
    with pytest.raises(EnvironmentProblem, match=problem) as error:
        prepare("cifar10", tmp_path / "data", url=server.url)
    assert error.value.hint.startswith("the same command goes on from there")
    assert partial(tmp_path / "data", server).stat().st_size == 100_000


def test_what_is_not_official_is_not_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "official_cifar10", lambda: describe(cifar(seed=1)))
    with pytest.raises(
        EnvironmentProblem, match="is not the official CIFAR-10: 0 of 70 images are official"
    ):
        prepare("cifar10", tmp_path / "data", url=server.url)
    assert not list((tmp_path / "data").iterdir())


def test_a_web_page_instead_of_the_images_is_not_kept(server: Server, tmp_path: Path) -> None:
    server.content = b"<html>please log in</html>"
    with pytest.raises(EnvironmentProblem, match="cannot be read") as error:
        prepare("cifar10", tmp_path / "data", url=server.url)
    assert error.value.hint == "`--url` names another address"
    assert not list((tmp_path / "data").iterdir())


def test_without_a_network_the_download_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        EnvironmentProblem, match=r"cannot download `http://127.0.0.1:9/.*`: .*refused"
    ) as error:
        prepare("cifar10", tmp_path / "data", url="http://127.0.0.1:9/cifar.tar.gz")
    assert error.value.hint.endswith("then `repro data import cifar10 cifar-10-python.tar.gz`")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("url", ["cifar.tar.gz", "ftp://host/cifar.tar.gz", "", "javascript:0"])
def test_what_is_no_address_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no address"):
        cifar10.download(tmp_path / "part", url, lambda done, of: None)


def test_only_cifar10_has_an_address(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`generated-photos` is not downloaded") as error:
        prepare("generated-photos", tmp_path, url="https://host/photos.tar")
    assert error.value.hint == "`--url` is for cifar10 alone"


def test_an_official_set_is_not_downloaded_again_and_another_is_not_replaced_unasked(
    server: Server, tmp_path: Path
) -> None:
    import_set("cifar10", npz_version(tmp_path / "other.npz", cifar(seed=1)), tmp_path / "data")
    with pytest.raises(EnvironmentProblem, match="is imported"):
        prepare("cifar10", tmp_path / "data", url=server.url)
    assert server.asked == []
    prepare("cifar10", tmp_path / "data", replace=True, url=server.url)
    prepare("cifar10", tmp_path / "data", url=server.url)
    assert server.asked == [None]
    assert dataset_info("cifar10", tmp_path / "data", whole=True).origin == "official pixels"
