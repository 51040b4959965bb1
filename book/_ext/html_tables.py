"""Tables, those that cells print as HTML above all, made fit for every screen, theme and reader.

A table wider than the page scrolls in its own box, which the keyboard can reach. A shaded cell gets black or white
letters, whichever contrasts more with the shade: at least 4.5:1 for any shade. The empty corner is no heading. And the
random ids that pandas gives become numbers, so that the same run makes the same page. Words in a printed table are
messages of the page's catalogue.
"""

from __future__ import annotations

import html
import re

from docutils import nodes
from messages import NOWHERE_ELSE, messages_in, printed_words, translated
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

SHADE = re.compile(r"background-color:\s*#([0-9a-f]{6});\s*color:\s*#[0-9a-f]{3,6}", re.IGNORECASE)
CORNER = re.compile(r'<th class="(blank[^"]*)"\s*>&nbsp;</th>')
CELL = re.compile(r"(<(caption|th|td)\b[^>]*>)([^<>]+)(</\2>)")
RANDOM = re.compile(r"\bT_[0-9a-f]{5}(?=[_\s\"'>])")


def letters_on(shade: str) -> str:
    """Black or white, whichever is easier to read on a colour.

    >>> letters_on("7d7d7d"), letters_on("000000"), letters_on("ffd700")
    ('#000000', '#ffffff', '#000000')
    """

    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(shade[i : i + 2], 16) / 255) for i in (0, 2, 4))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def improved(table: str, number: int) -> str:
    table = SHADE.sub(lambda m: f"background-color: #{m[1]}; color: {letters_on(m[1])}", table)
    table = CORNER.sub(r'<td class="\1"></td>', table)
    table = RANDOM.sub(f"T{number}", table)
    return f'<div class="table-box" tabindex="0">{table}</div>'


class table_words(printed_words):
    """The words of one printed table, in the page's tree, where Sphinx's gettext finds them."""


def words_of(table: str) -> list[str]:
    """
    >>> words_of("<th>figure</th><td>3 files</td><td>0.5</td>")
    ['figure', '{} files']
    """
    return messages_in(html.unescape(cell[2]) for cell in CELL.findall(table))


def in_language(table: str, words: dict[str, str]) -> str:
    """
    >>> in_language("<td>3 files</td>", {"{} files": "{} 个文件"})
    '<td>3 个文件</td>'
    """

    def cell(match: re.Match[str]) -> str:
        said = html.unescape(match[3])
        new = translated(said, words)
        return match[0] if new == said else match[1] + html.escape(new, quote=False) + match[4]

    return CELL.sub(cell, table)


def printed_tables(document: nodes.document) -> list[nodes.raw]:
    raw = (node for node in document.findall(nodes.raw) if "text_html" in node["classes"])
    return [node for node in raw if "<table" in node.astext()]


class CollectWords(SphinxTransform):
    """Put each table's words beside it, before Sphinx translates the page."""

    default_priority = 5

    def apply(self, **kwargs) -> None:
        for table in printed_tables(self.document):
            node = table_words("", words=words_of(table.astext()))
            node.source, node.line = self.document["source"], table.line or 1
            table.parent.append(node)


class ImproveTables(SphinxPostTransform):
    default_priority = 9
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for number, node in enumerate(printed_tables(self.document), 1):
            words = next(node.parent.findall(table_words))
            words.parent.remove(words)
            text = in_language(node.astext(), words.get("translations", {}))
            node.replace_self(nodes.raw("", improved(text, number), **node.attributes))


class corner(nodes.entry):
    """The empty cell above a column of names: not the heading of anything."""


class FindCorners(SphinxPostTransform):
    default_priority = 9
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for head in self.document.findall(nodes.thead):
            for cell in list(head.findall(nodes.entry)):
                if not cell.astext().strip():
                    cell.replace_self(corner("", **cell.attributes))


def visit_corner(self, node) -> None:
    self.body.append(self.starttag(node, "td", ""))


def depart_corner(self, node) -> None:
    self.body.append("</td>\n")


def setup(app):
    app.add_node(corner, html=(visit_corner, depart_corner))
    app.add_node(table_words, **NOWHERE_ELSE)
    app.add_transform(CollectWords)
    app.add_post_transform(FindCorners)
    app.add_post_transform(ImproveTables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
