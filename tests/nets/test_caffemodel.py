"""The authors' files are read as Caffe would read them, and damaged ones are refused in one
line."""

from __future__ import annotations

import numpy as np
import pytest

from repro.errors import UserError
from repro.nets.caffemodel import is_caffemodel, read_layers, read_mean
from tests.nets import caffe_files
from tests.nets.caffe_files import WrittenLayer, message, net_bytes, number, write_mean, write_net
from tests.nets.mutants import check_mutants

SMALL = [
    WrittenLayer(
        "conv1",
        "Convolution",
        ["data"],
        "conv1",
        {},
        [np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3)],
    ),
    WrittenLayer("relu", "ReLU", ["conv1"], "conv1"),
    WrittenLayer(
        "fc",
        "InnerProduct",
        ["conv1"],
        "fc",
        {},
        [np.ones((4, 2), np.float32), np.arange(4, dtype=np.float32)],
    ),
]


@pytest.mark.parametrize("style", ["new", "legacy", "unpacked", "double"])
def test_blobs_are_read_however_they_are_written(style, tmp_path):
    conv, relu, fc = read_layers(write_net(tmp_path / "net.caffemodel", SMALL, style))
    assert (conv.name, conv.type, relu.blobs, fc.type) == (
        "conv1",
        "Convolution",
        (),
        "InnerProduct",
    )
    assert np.array_equal(conv.blobs[0], SMALL[0].blobs[0])
    assert np.array_equal(fc.blobs[0].reshape(4, 2), SMALL[2].blobs[0])
    assert np.array_equal(fc.blobs[1].reshape(-1), SMALL[2].blobs[1])


def test_layers_of_the_older_message_are_read(tmp_path):
    conv, _, fc = read_layers(write_net(tmp_path / "old.caffemodel", SMALL, "v1"))
    assert (conv.name, conv.type, fc.type) == ("conv1", "Convolution", "InnerProduct")
    assert np.array_equal(conv.blobs[0], SMALL[0].blobs[0])


def test_a_mean_image_keeps_its_shape_and_order(tmp_path):
    image = np.random.default_rng(0).uniform(0, 255, (3, 5, 7)).astype(np.float32)
    assert np.array_equal(read_mean(write_mean(tmp_path / "mean.binaryproto", image)), image)


def test_a_mean_of_another_shape_is_refused(tmp_path):
    path = write_mean(tmp_path / "mean.binaryproto", np.zeros((4, 2, 2), np.float32))
    with pytest.raises(UserError, match=r"is no mean image: its shape is `\(4, 2, 2\)`"):
        read_mean(path)


def test_a_caffemodel_is_recognised_by_how_it_begins():
    assert is_caffemodel(net_bytes(SMALL))
    assert is_caffemodel(net_bytes(SMALL)[8:])
    assert not is_caffemodel(b"PK\x03\x04")
    assert not is_caffemodel(b"")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_says_what_is_missing(kept, tmp_path):
    content = net_bytes(SMALL)
    path = tmp_path / "cut.caffemodel"
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(
        UserError, match=r"cut\.caffemodel` cannot be read as a caffemodel: .*it ends within"
    ) as error:
        read_layers(path)
    assert error.value.hint == "copy or download it again, and compare its size"


HUGE = b"\xff" * 9 + b"\x01"  # 2^64 − 1
VAST = b"".join(number(side, 2**40) for side in (1, 2, 3, 4))  # a blob of 2^160 values
THREE = message(7, number(1, 3))  # the shape of three values


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xa2\x06" + HUGE, "it ends within field 100: 0 of 18,446,744,073,709,551,615 bytes are there"),
        (b"\xff" * 11, "a number has more than 10 bytes"),
        (b"\xff", "it ends within a number"),
        (b"\xa3\x06", "no field is stored as `3`"),
        (b"\x02\x01a", "a field has the number 0"),
        (number(100, 5), "field 100 is a number, not a message"),
        (message(100, message(7, number(5, 1))), "field 5 holds an integer, not floating-point values"),
        (message(100, message(7, message(5, b"abc"))), "3 bytes are not a whole number of values"),
        (message(100, message(7, VAST)), r"0 values do not fill the shape `\(1099511627776, "),
        (message(100, message(7, message(7, number(1, 2**62) * 40))), "is not a shape"),
        (message(100, message(7, THREE + message(5, bytes(8)))), r"2 values do not fill the shape `\(3,\)`"),
        (message(100, message(7, message(7, b"\x0a\x01\xff"))), "it ends within a number"),
    ],
)  # fmt: skip
def test_absurd_lengths_and_shapes_are_refused_before_memory_is_asked_for(
    content, problem, tmp_path
):
    (tmp_path / "odd.caffemodel").write_bytes(content)
    with pytest.raises(UserError, match=problem):
        read_layers(tmp_path / "odd.caffemodel")


def test_a_file_without_weights_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no layers with weights") as error:
        read_layers(write_net(tmp_path / "solver.caffemodel", SMALL[1:2]))
    assert error.value.hint == "name the .caffemodel, not the prototxt or the solver state"


def test_messages_nested_in_messages_do_not_recurse(tmp_path):
    content = b""
    for _ in range(2_000):
        content = message(7, content)
    (tmp_path / "deep.caffemodel").write_bytes(message(100, message(1, b"conv1") + content))
    with pytest.raises(UserError, match="deep"):
        read_layers(tmp_path / "deep.caffemodel")


def test_of_mutated_files_none_crashes(tmp_path):
    original = net_bytes(caffe_files.authors_net(50, classes=4, width=1)[:12])
    check_mutants(original, tmp_path / "mutant.caffemodel", read_layers)
