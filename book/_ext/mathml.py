"""Formulas as MathML, made while the book is built: no script, no third party, and readable by screen readers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html import escape

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

log = logging.getLogger(__name__)

LIMITS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}


def mathml(node, display: str) -> str:
    """The formula of a math node; TeX that cannot be read is reported where it stands, and shown as it is."""
    try:
        formula = convert(node.astext(), display=display)
    except Exception as error:  # noqa: BLE001  whatever the converter stumbles over
        log.warning("cannot read the formula %r: %r", node.astext(), error, location=node)
        return f"<code>{escape(node.astext())}</code>"
    return with_limits(formula) if display == "block" else formula


def with_limits(formula: str) -> str:
    """Put the limits of sums and products below and above them; inside roots and fractions the converter forgets to.

    >>> with_limits('<math><msub><mo>\u2211</mo><mi>i</mi></msub></math>')
    '<math><munder><mo>\u2211</mo><mi>i</mi></munder></math>'
    """
    root = ET.fromstring(formula)
    for element in root.iter():
        space, _, tag = element.tag.rpartition("}")
        element.tag = tag
        if tag in LIMITS and element[0].text in {"\u2211", "\u220f"}:
            element.tag = LIMITS[tag]
        if tag == "math" and space:
            element.set("xmlns", space[1:])
    return ET.tostring(root, encoding="unicode")


def visit_inline(self, node) -> None:
    self.body.append(
        self.starttag(node, "span", "", CLASS="math", **{"data-tex": node.astext()})
        + mathml(node, "inline")
        + "</span>"
    )
    raise SkipNode


def visit_block(self, node) -> None:
    """A formula on its own line, with its number and a link to it where it has a label."""
    self.body.append(
        self.starttag(node, "div", CLASS="math", tabindex="0", role="group", **{"data-tex": node.astext()})
    )
    self.body.append(mathml(node, "block"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
