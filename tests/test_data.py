"""The embedded data are MNIST, and its folder is whole or not there."""

import gzip
import hashlib
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mnistlib import data
from mnistlib.data import DamagedDataError, Digits, from_folder, mnist, read_idx, sample_folder

# SHA-256 of the files as published, without gzip: header, then the bytes.
PUBLISHED = {
    "train images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "valid images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "valid labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def idx(values: torch.Tensor) -> bytes:
    return struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.numpy().tobytes()


def test_all_seventy_thousand_images_are_the_published_ones():
    for part, digits in mnist()._asdict().items():
        assert hashlib.sha256(idx(digits.images)).hexdigest() == PUBLISHED[f"{part} images"]
        assert hashlib.sha256(idx(digits.labels.to(torch.uint8))).hexdigest() == PUBLISHED[f"{part} labels"]
        assert torch.equal(digits.numbers, torch.arange(len(digits)))


def test_the_sample_is_the_threes_and_sevens_of_the_whole(sample):
    for part, whole in zip(sample, mnist(), strict=True):
        assert torch.equal(part.images, whole.images[part.numbers])
        assert torch.equal(part.labels, whole.labels[part.numbers])
    counts = [len(part.of(digit)) for part in sample for digit in (3, 7)]
    assert counts == [6131, 6265, 1010, 1028]


def test_floats_are_bytes_over_255(sample):
    assert torch.equal(sample.valid.floats, sample.valid.images.float() / 255)
    assert sample.valid.flat.data_ptr() == sample.valid.floats.data_ptr(), "flat is a view"


def test_the_chapter_s_second_three(sample):
    assert sample.train.of(3).images[1, 4:10, 4:10].tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 29],
        [0, 0, 0, 48, 166, 224],
        [0, 93, 244, 249, 253, 187],
        [0, 107, 253, 253, 230, 48],
        [0, 3, 20, 20, 15, 0],
    ]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(2, 28, 28), torch.zeros(2, dtype=torch.int64), "uint8"),
        (torch.zeros(2, 27, 28, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64), r"\[2, 27, 28\]"),
        (torch.zeros(2, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64), "to go with 2 images"),
        (torch.zeros(1, 28, 28, dtype=torch.uint8), torch.tensor([10]), r"found \[10\]"),
        (torch.zeros(1, 28, 28, dtype=torch.uint8), torch.tensor([-1]), r"found \[-1\]"),
    ],
)
def test_digits_refuse_what_cannot_be_digits(images, labels, message):
    with pytest.raises(ValueError, match=message):
        Digits(images, labels, torch.zeros(len(images), dtype=torch.int64))


def test_asking_for_a_digit_that_is_not_there_says_which_are(sample):
    with pytest.raises(ValueError, match=r"no image of 5 here; the digits are \[3, 7\]"):
        sample.train.of(5)


def test_a_damaged_archive_is_named(monkeypatch, tmp_path):
    package = tmp_path / "mnistlib"
    (package / "_archive").mkdir(parents=True)
    whole = (Path(data.__file__).parent / "_archive" / "mnist.npz").read_bytes()
    monkeypatch.setattr(data.resources, "files", lambda _: package)
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    for damaged in (b"", whole[:100_000], whole[:-1000], bytes(flipped), b"not an archive"):
        (package / "_archive" / "mnist.npz").write_bytes(damaged)
        with pytest.raises(DamagedDataError, match=r"mnist\.npz cannot be read .* reinstall"):
            mnist()
    (package / "_archive" / "mnist.npz").unlink()
    with pytest.raises(DamagedDataError, match="reinstall"):
        mnist()


# -- the folder of PNG files ------------------------------------------------------------------------


def test_the_folder_has_fastai_s_layout_and_names(folder):
    assert len(list((folder / "train" / "3").iterdir())) == 6131
    first = sorted(p.name for p in (folder / "train" / "3").iterdir())[:10]
    assert first == (
        "10.png 10000.png 10011.png 10031.png 10034.png 10042.png 10052.png 1007.png 10074.png 10091.png".split()
    )


def test_from_folder_returns_what_sample_folder_wrote(folder, sample):
    for part, digits in sample._asdict().items():
        read = from_folder(folder / part)
        assert torch.equal(read.images, digits.images)
        assert torch.equal(read.labels, digits.labels)
        assert torch.equal(read.numbers, digits.numbers)


@pytest.fixture
def own_folder(folder, tmp_path):
    """A copy that a test may damage, at a place with spaces and letters beyond ASCII."""
    copy = tmp_path / "mïne – 数字" / "the sample"
    shutil.copytree(folder, copy)
    return copy


def test_what_is_missing_or_cut_short_is_written_again(own_folder):
    whole = (own_folder / "train/3/10.png").read_bytes()
    (own_folder / "train/3/10.png").unlink()
    (own_folder / "valid/7/17.png").write_bytes(b"")
    shutil.rmtree(own_folder / "valid/3")
    sample_folder(own_folder)
    assert (own_folder / "train/3/10.png").read_bytes() == whole
    assert data._wrong_files(own_folder, verify=True) == []
    assert len(list((own_folder / "valid/3").iterdir())) == 1010


def test_changed_bytes_of_the_same_size_are_found_when_asked_for(own_folder):
    file = own_folder / "train/7/15.png"
    whole = file.read_bytes()
    file.write_bytes(whole[:-30] + bytes(30))
    sample_folder(own_folder)
    assert file.read_bytes() != whole, "sizes alone cannot tell"
    sample_folder(own_folder, verify=True)
    assert file.read_bytes() == whole


def test_images_of_others_among_ours_are_refused(own_folder):
    (own_folder / "train/3/mine.PNG").write_bytes(b"x")
    with pytest.raises(DamagedDataError, match=r"1 images that are not MNIST's \(train/3/mine.PNG\)"):
        sample_folder(own_folder)
    assert (own_folder / "train/3/mine.PNG").exists(), "nothing of the reader's is deleted"


def test_files_that_are_no_images_do_no_harm(own_folder):
    (own_folder / "train/3/.DS_Store").write_bytes(b"x")
    (own_folder / "models").mkdir()
    assert sample_folder(own_folder) == own_folder


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"a": 1}'])
def test_a_folder_that_is_not_ours_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / "notes.txt").write_text("mine")
    if content is not None:
        (tmp_path / data.MANIFEST).write_bytes(content)
    with pytest.raises(DamagedDataError, match="not written by mnistlib"):
        sample_folder(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "sample").write_text("mine")
    with pytest.raises((DamagedDataError, OSError)):
        sample_folder(tmp_path / "sample")
    assert (tmp_path / "sample").read_text() == "mine"


def test_an_empty_folder_is_filled(tmp_path):
    assert data._wrong_files(sample_folder(tmp_path), verify=True) == []


def test_the_environment_chooses_the_place(monkeypatch, own_folder):
    cache = own_folder.parent
    own_folder.rename(cache / "mnist_sample")
    monkeypatch.setenv("MNISTLIB_CACHE", str(cache))
    assert sample_folder() == cache / "mnist_sample"


def test_a_place_that_cannot_be_written_is_said_with_a_way_out(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where a folder is needed")
    with pytest.raises(OSError, match="MNISTLIB_CACHE"):
        sample_folder(blocked / "sample")


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="the disk is full"):
        sample_folder(tmp_path / "sample")
    assert not (tmp_path / "sample").exists()
    assert list(tmp_path.glob(".sample.*.unfinished")) == []


# -- data of one's own ------------------------------------------------------------------------------


def save(path: Path, picture: Image.Image, kind: str = "png") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, kind)


def test_from_folder_reads_any_digits_and_numbers(tmp_path):
    save(tmp_path / "5" / "12.png", Image.new("L", (28, 28), 7))
    save(tmp_path / "0" / "zero.png", Image.new("L", (28, 28)))
    (tmp_path / "0" / "notes.txt").write_text("no image")
    (tmp_path / "0" / "._zero.png").write_text("what some systems leave behind")
    digits = from_folder(tmp_path)
    assert digits.labels.tolist() == [0, 5]
    assert digits.numbers.tolist() == [-1, 12]
    assert digits.images[1].unique().tolist() == [7]


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (Image.new("L", (20, 30)), "is 20x30 pixels and must be 28x28"),
        (Image.new("RGB", (28, 28)), "has mode 'RGB' and must be 8-bit gray"),
        (Image.fromarray(np.zeros((28, 28), np.uint16)), "must be 8-bit gray"),
        (Image.new("L", (20_000, 20_000)), "cannot be read as an image .*bomb"),
    ],
)
def test_from_folder_names_the_image_that_does_not_fit(tmp_path, picture, message):
    save(tmp_path / "3" / "odd.png", picture)
    with pytest.raises(DamagedDataError, match=rf"odd\.png.*{message}"):
        from_folder(tmp_path)


def test_from_folder_names_a_file_that_is_no_image(tmp_path, folder):
    (tmp_path / "3").mkdir()
    for content in (b"", b"hello", (folder / "train/3/10.png").read_bytes()[:150]):
        (tmp_path / "3" / "odd.png").write_bytes(content)
        with pytest.raises(DamagedDataError, match=r"odd\.png: cannot be read as an image"):
            from_folder(tmp_path)


def test_from_folder_wants_folders_named_after_digits(tmp_path, folder):
    with pytest.raises(DamagedDataError, match="did you mean from_folder"):
        from_folder(folder)
    with pytest.raises(DamagedDataError, match="no images found"):
        from_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        from_folder(tmp_path / "nowhere")


@pytest.mark.parametrize("packed", [False, True])
def test_read_idx_reads_what_was_published(tmp_path, sample, packed):
    raw = idx(sample.valid.images[:5])
    (tmp_path / "images").write_bytes(gzip.compress(raw) if packed else raw)
    assert torch.equal(read_idx(tmp_path / "images"), sample.valid.images[:5])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "does not open as an IDX file"),
        (b"\x89PNG", "does not open as an IDX file"),
        (bytes([0, 0, 8, 3, 0, 0]), "does not open as an IDX file"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]), r"states 3 values \(shape \[3\]\) but holds 2"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 1, 1, 2]), "states 1 values"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, "but holds 0"),
        (gzip.compress(bytes(1000), mtime=0)[:20], "damaged or cut short"),
    ],
)
def test_read_idx_names_a_file_that_is_not_whole(tmp_path, raw, message):
    (tmp_path / "odd").write_bytes(raw)
    with pytest.raises(DamagedDataError, match=rf"odd: .*{message}"):
        read_idx(tmp_path / "odd")


def test_crc_of_the_manifest_is_of_the_files(folder):
    import json

    manifest = json.loads((folder / data.MANIFEST).read_text())
    assert len(manifest) == 14_434
    for name in ("train/3/10.png", "valid/7/0.png"):
        content = (folder / name).read_bytes()
        assert manifest[name] == [len(content), zlib.crc32(content)]


def test_digits_say_how_many_they_are_of_each(sample):
    train, valid = sample
    assert repr(valid) == "Digits(2038 images: 1010 of 3, 1028 of 7)"
    assert repr(train[:0]) == "Digits(0 images)"
