"""What a prototxt means, one layer after another in float64 numpy: slow, obvious, and without any
code of `repro`."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

EPSILON = 1e-5  # Caffe's default, which the authors' prototxt leaves as it is


def forward(layers, blobs, images: np.ndarray) -> np.ndarray:
    """The logits of N × 3 × H × W images: what reaches the softmax.

    `layers` say what is done (a name, a type, bottoms, a top, options); `blobs` hold each layer's
    weights by name.
    """
    maps = {"data": images.astype(np.float64)}
    for layer in layers:
        bottoms = [maps[name] for name in layer.bottoms]
        if layer.type == "Softmax":
            return bottoms[0]
        weights = [values.astype(np.float64) for values in blobs[layer.name]]
        maps[layer.top] = LAYERS[layer.type](bottoms, weights, **layer.options)
    raise AssertionError("there is no softmax")


def convolution(bottoms, weights, stride, pad):
    [x], kernel = bottoms, weights[0]
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(x, kernel.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    y = np.tensordot(windows, kernel, axes=((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2)
    return y + weights[1][:, None, None] if len(weights) == 2 else y


def batch_norm(bottoms, weights):
    mean, variance, factor = weights
    mean, variance = mean / factor, variance / factor
    return (bottoms[0] - mean[:, None, None]) / np.sqrt(variance + EPSILON)[:, None, None]


def scale(bottoms, weights):
    gamma, beta = weights
    return bottoms[0] * gamma[:, None, None] + beta[:, None, None]


def pooling(bottoms, weights, kernel_size=0, stride=1, average=0):
    [x] = bottoms
    if average:
        return x.mean(axis=(2, 3))
    outputs = [int(np.ceil((side - kernel_size) / stride)) + 1 for side in x.shape[2:]]
    y = np.empty((*x.shape[:2], *outputs))
    for row in range(outputs[0]):
        for column in range(outputs[1]):
            top, left = (
                row * stride,
                column * stride,
            )  # a window that reaches over the edge is cut there
            window = x[:, :, top : top + kernel_size, left : left + kernel_size]
            y[:, :, row, column] = window.max(axis=(2, 3))
    return y


def relu(bottoms, weights):
    return np.maximum(bottoms[0], 0)


def eltwise(bottoms, weights):
    return bottoms[0] + bottoms[1]


def inner_product(bottoms, weights):
    return bottoms[0] @ weights[0].T + weights[1]


LAYERS = {
    "Convolution": convolution,
    "BatchNorm": batch_norm,
    "Scale": scale,
    "Pooling": pooling,
    "ReLU": relu,
    "Eltwise": eltwise,
    "InnerProduct": inner_product,
}
