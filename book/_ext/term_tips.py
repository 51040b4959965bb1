"""A glossary term says what it means where it is used.

A link made by {term} gets the first sentence of its definition as a tip: shown on hover and on keyboard focus by
the style sheet, read aloud through `aria-description`. In a translated book it is the translated sentence.
"""

from __future__ import annotations

import re
from functools import cache

from docutils import nodes
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform

SENTENCE = re.compile(r"(.+?[.!?](?=\s|$)|.+?。|.+)", re.DOTALL)


class defined_term(nodes.reference):
    """A link to the glossary that carries its definition."""


def first_sentence(text: str) -> str:
    """
    >>> first_sentence("An array of numbers. It may have any rank.")
    'An array of numbers.'
    """
    return SENTENCE.match(" ".join(text.split()))[1]


class AddTips(SphinxPostTransform):
    default_priority = 20  # after references are resolved
    formats = ("html",)

    def run(self, **kwargs) -> None:
        links = [link for link in self.document.findall(nodes.reference) if is_term(link)]
        tips = definitions(self.env) if links else {}
        for link in links:
            label = link.get("refid") or link.get("refuri", "").rpartition("#")[2]
            if tip := tips.get(label):
                given = {key: value for key, value in link.attributes.items() if value}
                link.replace_self(defined_term("", "", *link.children, tip=tip, **given))


@cache  # for all pages of a build: the glossary is read anew by every call
def definitions(env: BuildEnvironment) -> dict[str, str]:
    """The first sentence of every definition, by the id of its term."""
    found = {}
    for docname in {page for (kind, _), (page, _) in env.domains["std"].objects.items() if kind == "term"}:
        for item in env.get_doctree(docname).findall(nodes.definition_list_item):
            text = " ".join(part.astext() for part in item.findall(nodes.definition)).strip()
            for term in item.findall(nodes.term):
                if text:
                    found |= dict.fromkeys(term["ids"], first_sentence(text))
    return found


def is_term(link: nodes.reference) -> bool:
    return bool(link.children) and "std-term" in getattr(link[0], "attributes", {}).get("classes", [])


def visit(self, node) -> None:
    self.visit_reference(node)
    tip = self.attval(node["tip"])
    self.body[-1] = self.body[-1].replace("<a ", f'<a data-tip="{tip}" aria-description="{tip}" ', 1)


def depart(self, node) -> None:
    self.depart_reference(node)


def setup(app):
    app.add_node(defined_term, html=(visit, depart))
    app.add_post_transform(AddTips)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
