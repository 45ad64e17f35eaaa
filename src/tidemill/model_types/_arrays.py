"""Arrays as bytes: ``.npz`` without objects, and without the time of writing, so that equal arrays are equal bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import numpy as np  # noqa: TID253

# The earliest time a zip file can hold.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays by name as an uncompressed ``.npz`` that `numpy.load` reads.

    Raises
    ------
    ValueError
        An array holds Python objects.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(arrays[name], order="C"), allow_pickle=False)
    return buffer.getvalue()


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of `write_arrays`; never unpickles."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
