"""Pack the four canonical MNIST files into the archive that this package ships.

Readers never need this script; it is kept so that the archive can be made again and checked::

    python mnistlib/_archive/pack.py FOLDER_WITH_THE_IDX_FILES

The folder holds the files as they were published, gzipped or not.  Each is checked against its
SHA-256 before a single byte is used.  The result, ``mnist.npz`` beside this script, is an ordinary
NumPy archive of 40 arrays: for each part (``train``, ``valid``) and each digit, the images and
their numbers in MNIST's own order.  Packing by digit lets the sample of threes and sevens be read
without unpacking the other eight digits.  Equal input gives an equal archive, byte for byte, on one version of zlib.
"""

import gzip
import hashlib
import io
import os
import sys
import zipfile
from pathlib import Path

import numpy as np

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
PARTS = {"train": "train", "valid": "t10k"}
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the zip format's first date: the archive must not depend on today


def read_checked(folder: Path, name: str) -> bytes:
    """Return the uncompressed bytes of one canonical file, or stop if they are not the canonical ones."""
    packed = folder / f"{name}.gz"
    raw = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / name).read_bytes()
    found = hashlib.sha256(raw).hexdigest()
    if found != SHA256[name]:
        raise SystemExit(f"{name}: SHA-256 is {found}, but the canonical file has {SHA256[name]}")
    return raw


def in_file_name_order(numbers: np.ndarray) -> np.ndarray:
    """Sort numbers as their file names sort: 10.png, 10000.png, 10011.png ..."""
    return np.array(sorted(numbers, key=lambda number: f"{number}.png"), dtype=np.uint16)


def arrays(folder: Path) -> dict[str, np.ndarray]:
    """Return the 40 arrays of the archive by name."""
    named = {}
    for part, prefix in PARTS.items():
        images = np.frombuffer(read_checked(folder, f"{prefix}-images-idx3-ubyte"), np.uint8, offset=16)
        images = images.reshape(-1, 28, 28)
        labels = np.frombuffer(read_checked(folder, f"{prefix}-labels-idx1-ubyte"), np.uint8, offset=8)
        for digit in range(10):
            numbers = in_file_name_order(np.flatnonzero(labels == digit))
            named[f"{part}/{digit}/images"] = images[numbers]
            named[f"{part}/{digit}/numbers"] = numbers
    return named


def write(target: Path, named: dict[str, np.ndarray]) -> None:
    """Write the arrays as a compressed .npz that is whole or not there at all."""
    unfinished = target.with_suffix(".unfinished")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in named.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=LONG_AGO)
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
    os.replace(unfinished, target)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    target = Path(__file__).with_name("mnist.npz")
    write(target, arrays(Path(sys.argv[1])))
    print(f"{target.name}: {target.stat().st_size:,} bytes, SHA-256 {hashlib.sha256(target.read_bytes()).hexdigest()}")
