"""Tables, those that cells print as HTML above all, made fit for every screen, theme and reader.

A table wider than the page scrolls in its own box, which the keyboard can reach. A shaded cell gets black or white
letters, whichever contrasts more with the shade: at least 4.5:1 for any shade. The empty corner is no heading. And the
random ids that pandas gives become numbers, so that the same run makes the same page.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

SHADE = re.compile(r"background-color:\s*#([0-9a-f]{6});\s*color:\s*#[0-9a-f]{3,6}", re.IGNORECASE)
CORNER = re.compile(r'<th class="(blank[^"]*)"\s*>&nbsp;</th>')
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


def improved(html: str, number: int) -> str:
    html = SHADE.sub(lambda m: f"background-color: #{m[1]}; color: {letters_on(m[1])}", html)
    html = CORNER.sub(r'<td class="\1"></td>', html)
    html = RANDOM.sub(f"T{number}", html)
    return f'<div class="table-box" tabindex="0">{html}</div>'


class ImproveTables(SphinxPostTransform):
    default_priority = 9
    formats = ("html",)

    def run(self, **kwargs) -> None:
        printed = [node for node in self.document.findall(nodes.raw) if "text_html" in node["classes"]]
        for number, node in enumerate(printed, 1):
            if "<table" in node.astext():
                node.replace_self(nodes.raw("", improved(node.astext(), number), **node.attributes))


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
    app.add_post_transform(FindCorners)
    app.add_post_transform(ImproveTables)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
