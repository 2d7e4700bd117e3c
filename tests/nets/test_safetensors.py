"""A `.safetensors` file is read to the bit; one that is damaged or lies about its lengths is
refused in one line."""

from __future__ import annotations

import json

import pytest
import torch

from repro.errors import UserError
from repro.nets.safetensors import is_safetensors, read
from tests.nets.mutants import check_mutants
from tests.nets.safetensors_files import NAMES, safetensors_bytes, write_safetensors


@pytest.mark.parametrize("kind", list(NAMES))
def test_numbers_of_every_type_are_read(kind, tmp_path):
    state = {
        "a": torch.tensor([[1.5, -2.25], [0.0, 1000.0]]).to(kind),
        "b": torch.tensor(3).to(kind),
    }
    found = read(write_safetensors(tmp_path / "weights.safetensors", state))
    assert (found["a"].shape, found["b"].shape) == ((2, 2), ())
    assert all(
        torch.equal(found[name], value.to(found[name].dtype)) for name, value in state.items()
    )
    assert found["a"].dtype == (torch.int64 if kind == torch.int64 else torch.float32)


def test_an_empty_tensor_is_read(tmp_path):
    found = read(
        write_safetensors(tmp_path / "w.safetensors", {"a": torch.zeros(0, 3), "b": torch.ones(2)})
    )
    assert found["a"].shape == (0, 3)
    assert found["b"].tolist() == [1, 1]


def test_the_format_is_recognised_by_how_it_begins():
    assert is_safetensors(safetensors_bytes({"a": torch.ones(2)}))
    assert not is_safetensors(b"PK\x03\x04 and more")
    assert not is_safetensors(b"")


def with_header(header: object, data: bytes = bytes(8)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(**changes: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | changes


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the header should have 0 bytes, the file has 0"),
        (b"\xff" * 8 + b"{}", "the header should have 18,446,744,073,709,551,615 bytes"),
        (with_header(b"{not json"), "its header is not JSON"),
        (with_header(b"[" * 100_000), "its header is not JSON"),
        (with_header(b"\xff\xfe\xfd"), "its header is not JSON"),
        (with_header(b"[]"), "its header is not a JSON object"),
        (with_header(b'{"a": 1, "a": 2}'), "its header has the same key twice"),
        (with_header({"a": 5}), "nothing is said of the tensor `a`"),
        (with_header({"a": entry(dtype="C64")}), "tensor `a` has the type `C64`"),
        (with_header({"a": entry(dtype=["F32"])}), "tensor `a` has the type"),
        (with_header({"a": entry(shape=[-2])}), "is not a list of counts"),
        (with_header({"a": entry(shape=[True, 2])}), "is not a list of counts"),
        (with_header({"a": entry(shape=[2.0])}), "is not a list of counts"),
        (with_header({"a": entry(shape="2")}), "is not a list of counts"),
        (with_header({"a": entry(data_offsets=[0])}), "is not a list of counts"),
        (with_header({"a": entry(shape=[2**62, 2**62])}), "8 bytes do not fill the shape"),
        (with_header({"a": entry(data_offsets=[8, 0])}), "-8 bytes do not fill the shape"),
        (with_header({"a": entry(), "b": entry()}), "tensor `b` begins at byte 0, not at 8"),
        (with_header({"a": entry(data_offsets=[4, 12])}, bytes(12)), "tensor `a` begins at byte 4, not at 0"),
        (with_header({"a": entry()}, bytes(9)), "its tensors have 8 bytes, the file holds 9"),
        (with_header({"a": entry()}, bytes(7)), "its tensors have 8 bytes, the file holds 7"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(content, problem, tmp_path):
    (tmp_path / "odd.safetensors").write_bytes(content)
    with pytest.raises(
        UserError, match=r"`.*odd\.safetensors` cannot be read as safetensors"
    ) as error:
        read(tmp_path / "odd.safetensors")
    assert problem in str(error.value)
    assert error.value.hint == "copy or download it again, and compare its size"


def test_of_mutated_files_none_crashes(tmp_path):
    tensors = {f"layer{place}.weight": torch.randn(3, place) for place in range(1, 6)}
    check_mutants(safetensors_bytes(tensors), tmp_path / "mutant.safetensors", read)
