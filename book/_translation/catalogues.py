"""The catalogues of the translated book: what is wrong with them, message by message.

    python book/_translation/catalogues.py            every fault of every catalogue
    python book/_translation/catalogues.py seeing     of those whose name begins so

A translation keeps all that is not language: roles and what they point at, links, code, formulas, the holes `{}`. Its
terms are those of `terms.csv`. Its punctuation is full-width, and one space stands between a Chinese character and a
Latin letter or a digit. What a machine can see of all this is tested here (tests/test_translation.py asks the same
functions); whether it reads well, only a reader can tell.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from markdown_it import MarkdownIt

BOOK = Path(__file__).resolve().parent.parent
LOCALE = BOOK / "locales" / "zh_CN"

HAN = "\u3400-\u4dbf\u4e00-\u9fff"
WIDE = "，。、；：？！（）《》“”‘’…—"
CODE = re.compile(r"(?<![`\w}])(`+)(?!`)(.+?)(?<!`)\1(?!`)")
ROLE = re.compile(r"\{([\w:]+)\}`([^`]+)`")
LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]*)\)")
MATH = re.compile(r"(?<![\\$])\$[^$]+\$")
HOLE = re.compile(r"\{\w*\}", re.ASCII)
FORMULA = re.compile(r"\\[A-Za-z]+\{")  # its words stand in braces too
MARKUP = re.compile(r"\*+|\\(?=[^\w\s])")
LATEX = re.compile(r"\\[A-Za-z]+")
NAME = re.compile(r"<\w+>|\w*_\w*|\blist of\b")  # of things and types in code, and of HTML
LETTERS = re.compile(r"[A-Za-z]{2,}")
FAULTS = {
    "a half-width sign beside Chinese": re.compile(f"[{HAN}][,;:?!()]|[,;:?!()][{HAN}]|[{HAN}]\\.(?![A-Za-z0-9_])"),
    "no space between Chinese and Latin": re.compile(f"[{HAN}][A-Za-z0-9]|[A-Za-z0-9%][{HAN}]"),
    "a space between Chinese characters": re.compile(f"[{HAN}] +[{HAN}]"),
    "a space beside a full-width sign": re.compile(f" [{WIDE[:-2]}]|[{WIDE[:-2]}] (?!$)"),
    "a straight quotation mark": re.compile(f'"[^"]*[{HAN}][^"]*"'),
    "not three dots, but … twice": re.compile(r"(?<!…)…(?!…)|\.\.\.(?=[" + HAN + "])"),
}


class Term(NamedTuple):
    """One line of terms.csv: an English term, its Chinese one, other forms of it, and words it must not be."""

    english: str
    chinese: str
    also: tuple[str, ...]
    never: tuple[str, ...]

    def is_in(self, text: str) -> bool:
        return any(form in text for form in (self.chinese, *self.also))


class Message(NamedTuple):
    english: str
    chinese: str
    fuzzy: bool


def split(cell: str) -> tuple[str, ...]:
    return tuple(part for part in cell.split(";") if part)


@cache
def terms() -> dict[str, Term]:
    """The table, by the English term in small letters."""
    with (LOCALE / "terms.csv").open(encoding="utf-8", newline="") as file:
        rows = [Term(r["english"], r["chinese"], split(r["also"]), split(r["never"])) for r in csv.DictReader(file)]
    return {row.english.lower(): row for row in rows}


def catalogues(beginning: str = "") -> list[Path]:
    return [p for p in sorted(LOCALE.rglob("*.po")) if page_of(p).startswith(beginning)]


def page_of(file: Path) -> str:
    """The name of the page that a catalogue translates."""
    return file.relative_to(LOCALE / "LC_MESSAGES").with_suffix("").as_posix()


@cache
def read(file: Path) -> Catalog:
    with file.open("rb") as opened:
        return read_po(opened)


def messages(file: Path) -> list[Message]:
    return [Message(str(m.id), str(m.string or ""), m.fuzzy) for m in read(file) if m.id]


def obsolete(file: Path) -> int:
    """Messages that no page has any more."""
    return len(read(file).obsolete)


def problems(message: Message, page: str = "") -> Iterator[str]:
    """What is wrong with one message.

    >>> list(problems(Message("The {term}`loss` is `x`.", "{term}`损失 <loss>`是y。", False)))
    ['no space between Chinese and Latin: 损失是y。', 'differs from the English in code: x']
    >>> list(problems(Message("The mean of {} numbers.", "{} 个数的均值。", False)))
    []
    """
    english, chinese = message.english, message.chinese
    if not chinese:
        yield "not translated"
        return
    if message.fuzzy:
        yield "fuzzy: the English has changed"
    seen = visible(chinese)
    if not re.search(f"[{HAN}]", seen):
        if len(LETTERS.findall(NAME.sub("", visible(LATEX.sub("", english), "")))) > 3:
            yield "still in English"
        return
    for name, pattern in FAULTS.items():
        if found := pattern.search(seen):
            yield f"{name}: {seen[max(0, found.start() - 4) : found.end() + 4].strip()}"
    yield from differences(english, chinese)
    yield from wrong_words(english, chinese)
    head = terms().get(english.lower()) if page == "review/glossary" else None
    if head and not chinese.startswith(head.chinese):
        yield f"the glossary says {chinese}, terms.csv {head.chinese}"
    if stars(chinese) and not stars(english):
        yield "an asterisk remains: emphasis must not begin or end with a sign next to a character"


def differences(english: str, chinese: str) -> Iterator[str]:
    """What must be the same in both languages, and is not."""
    for name, of in (("roles", roles), ("links", links), ("holes", holes)):
        if of(english) != of(chinese):
            changed = (of(english) - of(chinese)) + (of(chinese) - of(english))
            yield f"differs from the English in {name}: {', '.join(sorted(changed))}"
    for name, pattern in (("code", CODE), ("formulas", MATH)):
        there, here = ({m[0].strip("`") for m in pattern.finditer(ROLE.sub("", text))} for text in (english, chinese))
        if there != here:
            yield f"differs from the English in {name}: {', '.join(sorted(there ^ here))}"


def roles(text: str) -> Counter[str]:
    """Each role with what it points at, whatever it says."""
    return Counter(f"{name} {target_of(body)}" for name, body in ROLE.findall(text))


def target_of(body: str) -> str:
    """
    >>> target_of("mini-batches <mini-batch>"), target_of("loss")
    ('mini-batch', 'loss')
    """
    found = re.fullmatch(r".*<([^<>]+)>", body, re.DOTALL)
    return found[1] if found else body


def links(text: str) -> Counter[str]:
    return Counter(target for _, target in LINK.findall(text))


def holes(text: str) -> Counter[str]:
    text = MATH.sub("", CODE.sub("", ROLE.sub("", text)))
    return Counter() if FORMULA.search(text) else Counter(HOLE.findall(text))


def visible(text: str, standing: str = "x") -> str:
    """What a reader sees, with a letter in place of code and formulas and a digit in place of a measured number.

    >>> visible("{term}`损失 <loss>`是 `x`，约 {glue:text}`a.md::b:.2f`，**很小**")
    '损失是 x，约 0，很小'
    """
    text = text.removesuffix(" ::")  # a block of code follows, which reStructuredText announces so
    text = ROLE.sub(lambda m: shown(m[1], m[2], standing), text)
    text = LINK.sub(lambda m: m[1] or standing, MATH.sub(standing, CODE.sub(standing, text)))
    return MARKUP.sub("", HOLE.sub("0" if standing else "", text))


def shown(name: str, body: str, standing: str) -> str:
    if name.startswith("glue"):
        return "0" if standing else ""
    if name in ("term", "doc", "ref"):
        return re.sub(r"\s*<[^<>]+>$", "", body)
    return standing


def wrong_words(english: str, chinese: str) -> Iterator[str]:
    for body in (body for name, body in ROLE.findall(chinese) if name == "term"):
        term = terms().get(target_of(body).lower())
        if term and not term.is_in(body):
            yield f"the term {term.english} is {term.chinese} in terms.csv: {body}"
    said = visible(chinese)
    for term in terms().values():
        for word in term.never:
            if word in said and re.search(rf"\b{re.escape(term.english)}", english, re.IGNORECASE):
                yield f"{term.english} is {term.chinese}, not {word}"


@cache
def reader() -> MarkdownIt:
    return MarkdownIt("commonmark")


def stars(text: str) -> int:
    """Asterisks that would be printed, as they do not close or open anything."""
    inline = reader().parse(ROLE.sub("x", MATH.sub("x", text)))
    tokens = [child for token in inline for child in token.children or []]
    return sum(token.content.count("*") for token in tokens if token.type == "text")


def report(beginning: str = "") -> int:
    """Print every fault; return how many there are."""
    count, total = 0, 0
    for file in catalogues(beginning):
        page = page_of(file)
        for number, message in enumerate(messages(file), 1):
            total += 1
            for problem in problems(message, page):
                count += 1
                print(f"{page}, message {number}: {problem}\n    {message.english[:90]}")
        if gone := obsolete(file):
            count += gone
            print(f"{page}: {gone} obsolete")
    print(f"{total} messages, {count} faults")
    return count


if __name__ == "__main__":
    sys.exit(bool(report(*sys.argv[1:2])))
