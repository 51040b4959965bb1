"""The Chinese characters of an EPUB and a PDF, whatever fonts there are where they are made or read.

Noto Sans CJK (SIL Open Font License) comes from the package mplfonts, which exists to bring it to machines without it.
It holds some 65,000 characters. An EPUB gets those that the book uses; of a PDF, the browser takes care itself.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

NAME = "Book Chinese"
FILE = "chinese.otf"
HOW = "the Chinese edition needs a font: python -m pip install mplfonts (tox does that by itself)"
EAST_ASIAN = re.compile("[\u2014\u2018-\u201d\u2026\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")


def whole_font() -> Path:
    """The font's file. A module is looked for, not imported: importing it would change matplotlib's settings.

    Raises
    ------
    FileNotFoundError
        If the package is not there; says how to get it.
    """
    module = find_spec("mplfonts")
    file = Path(module.origin or "").parent / "fonts" / "NotoSansCJKsc-Regular.otf" if module else Path()
    if not file.is_file():
        raise FileNotFoundError(HOW)
    return file


def characters(text: str) -> str:
    """What of a text this font is for, each character once.

    >>> characters("loss: 损失，损失")
    '失损，'
    """
    return "".join(sorted(set(EAST_ASIAN.findall(text))))


def write_subset(text: str, target: Path) -> None:
    """Write a font of a text's East Asian characters alone."""
    from fontTools.subset import Options, Subsetter, load_font, save_font

    options = Options()
    options.layout_features = ["locl", "vert"]
    font = load_font(str(whole_font()), options)
    chosen = Subsetter(options)
    chosen.populate(text=characters(text))
    chosen.subset(font)
    target.parent.mkdir(parents=True, exist_ok=True)
    save_font(font, str(target), options)


def style(address: str) -> str:
    """The rule of CSS that names the font."""
    return f'@font-face {{ font-family: "{NAME}"; src: url("{address}"); }}'
