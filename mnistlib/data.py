"""MNIST, embedded: 70,000 handwritten digits as tensors or as a folder of PNG files.

Nothing is downloaded.  The images ship inside the package, packed by ``_archive/pack.py`` from the
files published by LeCun, Cortes and Burges.

* `mnist` gives all ten digits, `mnist_sample` the threes and the sevens.
* `sample_folder` writes the sample as real PNG files, one folder a class.
* `from_folder` and `read_idx` read data of your own.
"""

import errno
import glob
import gzip
import json
import math
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from mnistlib._check import are_tensors
from mnistlib._files import whole_file

__all__ = [
    "DamagedDataError",
    "Digits",
    "Parts",
    "from_folder",
    "mnist",
    "mnist_sample",
    "read_idx",
    "sample_folder",
]

SIDE = 28
IMAGE_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"}
MANIFEST = ".mnistlib.json"


class DamagedDataError(ValueError):
    """A file or folder of data is not what it should be; the message names it and says what to do.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "note.txt")
    >>> _ = file.write_text("no images here")
    >>> try:
    ...     read_idx(file)
    ... except DamagedDataError:
    ...     print("damaged")
    damaged
    """


@dataclass(frozen=True, eq=False)
class Digits:
    """Images of handwritten digits with their labels.

    Parameters
    ----------
    images : Tensor
        uint8, shape ``[N, 28, 28]``; 0 is background and 255 full ink.
    labels : Tensor
        int64, shape ``[N]``; the digit each image shows, 0 to 9.
    numbers : Tensor
        int64, shape ``[N]``; where each image stands in MNIST's own file, counted from 0; -1 where unknown.

    Raises
    ------
    TypeError
        If one of these is not a tensor.
    ValueError
        If the shapes or dtypes are others than these, or a label is not a digit.

    Examples
    --------
    >>> sample = mnist_sample()
    >>> sample.train
    Digits(12396 images: 6131 of 3, 6265 of 7)
    >>> sample.train.of(3).images.shape
    torch.Size([6131, 28, 28])
    """

    images: Tensor
    labels: Tensor
    numbers: Tensor

    def __post_init__(self) -> None:
        are_tensors("Digits", self.images, self.labels, self.numbers)
        n = len(self.images) if self.images.ndim else 0
        if self.images.dtype != torch.uint8 or self.images.shape != (n, SIDE, SIDE):
            raise ValueError(
                f"images must be uint8 of shape [N, 28, 28], not {self.images.dtype} of shape {list(self.images.shape)}"
            )
        for name, values in (("labels", self.labels), ("numbers", self.numbers)):
            if values.dtype != torch.int64 or values.shape != (n,):
                raise ValueError(
                    f"{name} must be int64 of shape [{n}] to go with {n} images, "
                    f"not {values.dtype} of shape {list(values.shape)}"
                )
        if n and not (0 <= int(self.labels.min()) and int(self.labels.max()) <= 9):
            raise ValueError(
                f"labels must be digits 0 to 9; found {sorted(set(self.labels.tolist()) - set(range(10)))}"
            )

    @cached_property
    def floats(self) -> Tensor:
        """The images as float32 in 0 to 1, shape ``[N, 28, 28]``; made once, on first use.

        >>> mnist_sample().valid.floats.max()
        tensor(1.)
        """
        # NumPy does the division: its large blocks ask the system for huge pages, torch's do not,
        # and at this size most of the time goes to the system handing out memory.
        return torch.from_numpy(np.divide(self.images.numpy(), np.float32(255)))

    @property
    def flat(self) -> Tensor:
        """The float images as rows of 784 pixels, shape ``[N, 784]``; a view of `floats`, not a copy.

        >>> mnist_sample().train.flat.shape
        torch.Size([12396, 784])
        """
        return self.floats.view(-1, SIDE * SIDE)

    def of(self, digit: int) -> "Digits":
        """Return the images of one digit, in the order they stand here.

        Raises
        ------
        ValueError
            If there is no image of that digit.

        Examples
        --------
        >>> len(mnist_sample().valid.of(7))
        1028
        """
        keep = self.labels == digit
        if not torch.is_tensor(keep) or not keep.any():  # comparing with a text gives a plain False
            raise ValueError(f"no image of {digit!r} here; the digits are {sorted(set(self.labels.tolist()))}")
        return self[keep]

    def is_a(self, digit: int) -> Tensor:
        """Return 1. for images of ``digit`` and 0. for all others, float32 of shape ``[N, 1]``.

        Raises
        ------
        ValueError
            If it is not a digit: no image would be one, and training would look as if it worked.

        Examples
        --------
        >>> mnist_sample().train.is_a(3).shape
        torch.Size([12396, 1])
        """
        if digit not in range(10):
            raise ValueError(f"a digit is a number 0 to 9, not {digit!r}")
        return (self.labels == digit).float().unsqueeze(1)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: slice | Tensor) -> "Digits":
        """Return some of the images: a slice, a mask of shape ``[N]``, or positions.

        >>> mnist().train[:3].labels
        tensor([5, 0, 4])
        """
        if isinstance(index, int):
            raise TypeError(f"Digits are cut by a slice, a mask or positions; one image is .images[{index}]")
        return Digits(self.images[index], self.labels[index], self.numbers[index])

    def __repr__(self) -> str:
        digits, counts = self.labels.unique(return_counts=True)
        parts = ", ".join(f"{count} of {digit}" for digit, count in zip(digits.tolist(), counts.tolist(), strict=True))
        return f"Digits({len(self)} images: {parts})" if parts else "Digits(0 images)"


class Parts(NamedTuple):
    """The two parts of a data set: one to learn from, one to judge by.

    Examples
    --------
    >>> train, valid = mnist_sample()
    >>> len(train), len(valid)
    (12396, 2038)
    """

    train: Digits
    valid: Digits


def mnist() -> Parts:
    """Return all ten digits: 60,000 training and 10,000 validation images, in MNIST's own order.

    What is called ``valid`` here was published as MNIST's test set.

    Raises
    ------
    DamagedDataError
        If the embedded archive cannot be read.

    Examples
    --------
    >>> data = mnist()
    >>> len(data.train), len(data.valid)
    (60000, 10000)
    >>> data.train.labels[:10]
    tensor([5, 0, 4, 1, 9, 2, 1, 3, 1, 4])
    """
    with _archive() as archive:
        return Parts(*(_in_own_order(_read_part(archive, part, range(10))) for part in ("train", "valid")))


def mnist_sample() -> Parts:
    """Return the threes and sevens: 12,396 training and 2,038 validation images.

    All threes come first, then all sevens, each in the order of their file names ("10.png" before
    "2.png"), which is how a program that lists the folder of `sample_folder` meets them.

    Raises
    ------
    DamagedDataError
        If the embedded archive cannot be read.

    Examples
    --------
    >>> sample = mnist_sample()
    >>> len(sample.train), len(sample.valid)
    (12396, 2038)
    >>> sample.train.numbers[:3]
    tensor([   10, 10000, 10011])
    """
    with _archive() as archive:
        return Parts(*(_read_part(archive, part, (3, 7)) for part in ("train", "valid")))


@contextmanager
def _archive() -> Iterator[np.lib.npyio.NpzFile]:
    """Open the embedded archive; whatever is wrong with it comes out as one clear error."""
    source = resources.files("mnistlib") / "_archive" / "mnist.npz"
    try:
        with source.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            yield archive
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedDataError(
            f"the embedded data {source} cannot be read ({error}); reinstall mnistlib to get it whole again"
        ) from error


def _read_part(archive: np.lib.npyio.NpzFile, part: str, digits: Iterable[int]) -> Digits:
    """Return the images of these digits, digit after digit."""
    digits = list(digits)
    images = [archive[f"{part}/{digit}/images"] for digit in digits]
    numbers = [archive[f"{part}/{digit}/numbers"] for digit in digits]
    labels = np.repeat(digits, [len(of_digit) for of_digit in images])
    return Digits(
        torch.from_numpy(np.concatenate(images)),
        torch.from_numpy(labels.astype(np.int64)),
        torch.from_numpy(np.concatenate(numbers).astype(np.int64)),
    )


def _in_own_order(digits: Digits) -> Digits:
    return digits[digits.numbers.argsort()]


# -- the sample as a folder of PNG files ------------------------------------------------------------


def sample_folder(dest: str | os.PathLike[str] | None = None, *, verify: bool = False) -> Path:
    """Return a folder that holds the threes and sevens as PNG files, writing it first if need be.

    The layout is ``train/3``, ``train/7``, ``valid/3``, ``valid/7``; the file ``train/3/N.png`` is
    training image N of MNIST.  The folder appears whole or not at all, also when several processes
    ask at once; files that were deleted or cut short since are written again.

    Parameters
    ----------
    dest : path, optional
        Where the folder shall be.  Without it: ``mnist_sample`` inside the folder that the
        environment variable ``MNISTLIB_CACHE`` names, else inside the system's place for caches.
    verify : bool
        Also compare the content of every file (about 15 MB) with what was written, not only its size.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DamagedDataError
        If the place is taken by something else, or images that are not MNIST's lie among the files.
    OSError
        If the folder cannot be written; the message says how to choose another place.

    Examples
    --------
    >>> path = sample_folder()
    >>> sorted(p.name for p in path.iterdir() if not p.name.startswith("."))
    ['train', 'valid']
    >>> len(list((path / "train" / "3").glob("*.png")))
    6131
    """
    from filelock import FileLock  # here, since it takes long to import and little else needs it

    folder = _default_folder() if dest is None else Path(dest).expanduser().absolute()
    if folder.exists() and not _wrong_files(folder, verify):
        return folder  # needs no lock, so it works from a read-only place too
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / f".{folder.name}.lock"):
            _clear_unfinished(folder)
            if not _holds_anything(folder):
                _write_whole(folder)
            else:
                _repair(folder, _wrong_files(folder, verify))
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise type(error)(
            error.errno,
            f"cannot write the sample ({reason}); pass another folder to sample_folder(...) "
            "or name one in the environment variable MNISTLIB_CACHE",
            str(folder),
        ) from error
    return folder


def _default_folder() -> Path:
    from platformdirs import user_cache_path  # here, for the same reason

    named = os.environ.get("MNISTLIB_CACHE")
    cache = Path(named).expanduser().absolute() if named else user_cache_path("mnistlib")
    return cache / "mnist_sample"


def _holds_anything(folder: Path) -> bool:
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _clear_unfinished(folder: Path) -> None:
    """Remove what a process that was killed left behind; the caller holds the lock."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.*.unfinished"):
        shutil.rmtree(left, ignore_errors=True)
    for left in folder.glob("*/*/.*.unfinished"):
        left.unlink(missing_ok=True)


def _encoded_files() -> Iterator[tuple[str, bytes]]:
    """Yield the name and the PNG bytes of each of the 14,434 files."""
    for part, digits in mnist_sample()._asdict().items():
        pictures = digits.images.numpy()
        for picture, label, number in zip(pictures, digits.labels.tolist(), digits.numbers.tolist(), strict=True):
            stream = BytesIO()
            Image.fromarray(picture).save(stream, "png", compress_level=1)
            yield f"{part}/{label}/{number}.png", stream.getvalue()


def _write_whole(folder: Path) -> None:
    """Write beside the target, then move the finished folder to its name in one step."""
    unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".unfinished", dir=folder.parent))
    try:
        manifest = {}
        for name, content in _encoded_files():
            file = unfinished / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            manifest[name] = [len(content), zlib.crc32(content)]
        (unfinished / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        unfinished.chmod(0o755)  # mkdtemp makes folders for one user's eyes only
        if folder.exists():
            folder.rmdir()  # empty, or _holds_anything would have said so
        os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _wrong_files(folder: Path, verify: bool) -> list[str]:
    """Return the names of files that are missing or not as written; refuse a folder that is not ours.

    An empty folder counts as wrong in everything.
    """
    if not _holds_anything(folder):
        return [MANIFEST]
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        expected = {str(name): (int(size), int(crc)) for name, (size, crc) in manifest.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DamagedDataError(
            f"{folder} exists, but was not written by mnistlib or its list of files is damaged; "
            "delete that folder, or pass another one to sample_folder(...)"
        ) from error
    sizes: dict[str, int] = {}
    for part in ("train", "valid"):
        for directory, _, names in os.walk(folder / part):
            within = Path(directory).relative_to(folder).as_posix()
            sizes.update({f"{within}/{name}": _size(Path(directory) / name) for name in names})
    strangers = sorted(name for name in sizes.keys() - expected.keys() if Path(name).suffix.lower() in IMAGE_SUFFIXES)
    if strangers:
        shown = ", ".join(strangers[:3]) + (" ..." if len(strangers) > 3 else "")
        raise DamagedDataError(
            f"{folder} holds {len(strangers)} images that are not MNIST's ({shown}); "
            "move them elsewhere, or pass another folder to sample_folder(...)"
        )
    wrong = [name for name, (size, _) in expected.items() if sizes.get(name) != size]
    if verify:
        wrong += [
            name
            for name, (size, crc) in expected.items()
            if sizes.get(name) == size and zlib.crc32((folder / name).read_bytes()) != crc
        ]
    return wrong


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # listed a moment ago, and then finished or removed by another process
        return -1


def _repair(folder: Path, wrong: list[str]) -> None:
    """Write the wrong files again, each whole or not at all."""
    if not wrong:
        return
    missing = set(wrong)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    for name, content in _encoded_files():
        if name in missing:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with whole_file(folder / name) as file:
                file.write_bytes(content)
            manifest[name] = [len(content), zlib.crc32(content)]
    with whole_file(folder / MANIFEST) as file:
        file.write_text(json.dumps(manifest), encoding="utf-8")


# -- data of your own -------------------------------------------------------------------------------


def from_folder(folder: str | os.PathLike[str]) -> Digits:
    """Read a folder of 28x28 gray images whose subfolders are named after the digits they show.

    Parameters
    ----------
    folder : path
        Holds one subfolder a digit (``0`` to ``9``; any of them).  Images are taken in the order
        of their file names; hidden files and files without an image's suffix are left alone.

    Returns
    -------
    Digits
        Its ``numbers`` are the file names where these are numbers, else -1.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    DamagedDataError
        If a subfolder is not named after a digit, an image cannot be read, is not 28x28, or has
        colors or more than 8 bits a pixel, its checksums do not fit, or there is no image at all.
        The message names the file.

    Examples
    --------
    >>> path = sample_folder()
    >>> from_folder(path / "valid")
    Digits(2038 images: 1010 of 3, 1028 of 7)
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder of images", str(folder))
    images, labels, numbers = [], [], []
    for subfolder in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        if subfolder.name not in {str(digit) for digit in range(10)}:
            raise DamagedDataError(
                f"{subfolder}: the label of an image is its folder's name, so that must be a digit 0 to 9, "
                f"not {subfolder.name!r}"
                + (f"; did you mean from_folder({str(subfolder)!r})?" if subfolder.name in ("train", "valid") else "")
            )
        for file in sorted(subfolder.iterdir(), key=lambda p: p.name):
            if file.name.startswith(".") or file.suffix.lower() not in IMAGE_SUFFIXES:
                continue
            images.append(_read_grey(file))
            labels.append(int(subfolder.name))
            numbers.append(
                int(file.stem) if file.stem.isascii() and file.stem.isdigit() and len(file.stem) < 19 else -1
            )
    if not images:
        raise DamagedDataError(f"{folder}: no images found in subfolders named 0 to 9")
    return Digits(torch.from_numpy(np.stack(images)), torch.tensor(labels), torch.tensor(numbers))


def _read_grey(file: Path) -> np.ndarray:
    """Return one image as uint8 ``[28, 28]``; its size is checked before a pixel is decoded."""
    try:
        content = BytesIO(file.read_bytes())
        with Image.open(content, formats=IMAGE_FORMATS) as picture:
            picture.verify()  # compares checksums, which decoding a PNG does not, and uses the picture up
        with Image.open(content, formats=IMAGE_FORMATS) as picture:
            if picture.size != (SIDE, SIDE):
                width, height = picture.size
                raise DamagedDataError(f"{file}: is {width}x{height} pixels and must be 28x28; resize it first")
            if picture.mode != "L":
                raise DamagedDataError(
                    f"{file}: has mode {picture.mode!r} and must be 8-bit gray ('L'); convert it with "
                    "PIL.Image.open(...).convert('L') first"
                )
            return np.asarray(picture)
    except DamagedDataError:
        raise
    except UnidentifiedImageError as error:
        raise DamagedDataError(f"{file}: cannot be read as an image; it opens like none, or is cut short") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DamagedDataError(f"{file}: cannot be read as an image ({error})") from error


def read_idx(file: str | os.PathLike[str]) -> Tensor:
    """Read a file in IDX, the format MNIST was published in, gzipped or not.

    The file opens with two zero bytes, a byte for the type (8: unsigned bytes), a byte for the
    number of axes, then the length of each axis as a big-endian 32-bit integer, then the values.

    Parameters
    ----------
    file : path
        For example ``train-images-idx3-ubyte.gz``.

    Returns
    -------
    Tensor
        uint8, of the shape that the file states.

    Raises
    ------
    DamagedDataError
        If the file is not IDX of unsigned bytes, or is shorter or longer than it states.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp(), "tiny-idx1-ubyte")
    >>> _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    >>> read_idx(file)
    tensor([5, 0, 4], dtype=torch.uint8)
    """
    file = Path(file)
    raw = file.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DamagedDataError(f"{file}: the gzipped file is damaged or cut short ({error})") from error
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08" or len(raw) < 4 + 4 * raw[3]:
        raise DamagedDataError(f"{file}: does not open as an IDX file of unsigned bytes does")
    shape = [int(length) for length in np.frombuffer(raw, ">u4", count=raw[3], offset=4)]
    start, wanted = 4 + 4 * raw[3], math.prod(shape)
    if len(raw) - start != wanted:
        raise DamagedDataError(f"{file}: states {wanted} values (shape {shape}) but holds {len(raw) - start}")
    try:
        return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=start).reshape(shape).copy())
    except ValueError as error:  # more axes than 64, or lengths beyond all memory beside one of 0
        raise DamagedDataError(f"{file}: states a shape that no array can have ({error})") from error
