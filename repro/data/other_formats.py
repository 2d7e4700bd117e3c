"""Files of images that are not read here, and what they are, for the message that says so."""

from __future__ import annotations

import re
from pathlib import PurePath

FORMATS = {
    ".tfrecord": "a TFRecord file",
    ".tfrecords": "a TFRecord file",
    ".mdb": "an LMDB data base",
    ".lmdb": "an LMDB data base",
    ".rec": "a RecordIO file of MXNet",
    ".beton": "an FFCV file",
    ".h5": "an HDF5 file",
    ".hdf5": "an HDF5 file",
    ".npz": "a file of numpy arrays, whose images are no longer files",
    ".npy": "a file of numpy arrays, whose images are no longer files",
    ".arrow": "a data set as Hugging Face's `save_to_disk` writes it (write it with `to_parquet`)",
    ".7z": "a 7-Zip archive (unpack it first)",
    ".rar": "a RAR archive (unpack it first)",
}
_TENSORFLOW = re.compile(r".*-\d{5}-of-\d{5}")  # train-00000-of-01024, without an ending


def other_format(path: PurePath) -> str:
    """Return in words what a file of that name is; nothing if it is of no known other format."""
    if _TENSORFLOW.fullmatch(path.name):
        return "a TFRecord file"
    return FORMATS.get(path.suffix.lower(), "")
