"""A translation is read in a third of the time: what MyST sets up for a page is not set up again for every message.

Sphinx hands MyST each of a page's hundred messages as a document of its own. For each, MyST puts a parser together and
asks docutils for its settings, which docutils finds by making a whole command line. Both come out the same every time,
and messages are read one after the other: here they share one parser, and get copies of the same settings.
"""

from __future__ import annotations

from functools import cache
from textwrap import dedent

from docutils import nodes
from docutils.frontend import get_default_settings
from markdown_it import MarkdownIt
from myst_nb.sphinx_ import Parser
from myst_parser.mdit_to_docutils import base
from myst_parser.mdit_to_docutils.sphinx_ import SphinxRenderer
from myst_parser.parsers.mdit import create_md_parser
from sphinx.environment import BuildEnvironment

settings = cache(get_default_settings)
VERBATIM = "::\n\n"  # reStructuredText's mark, which Sphinx puts before a formula, whatever the page is written in


@cache
def parser_of_messages(env: BuildEnvironment) -> MarkdownIt:
    return create_md_parser(env.myst_config, SphinxRenderer)


class SharingParser(Parser):
    """MyST-NB's parser, for pages. Messages, which Sphinx names so, hold no code and go to the shared one."""

    def parse(self, inputstring: str, document: nodes.document) -> None:
        if not (document.current_source or "").endswith("<translated>"):
            super().parse(inputstring, document)
        elif inputstring.startswith(VERBATIM):
            text = dedent(inputstring.removeprefix(VERBATIM))
            document += nodes.literal_block(text, text)
        else:
            parser = parser_of_messages(document.settings.env)
            parser.options["document"] = document
            parser.render(inputstring)


def setup(app):
    app.add_source_parser(SharingParser, override=True)
    base.get_default_settings = lambda *components: settings(*components).copy()
    return {"parallel_read_safe": True, "parallel_write_safe": True}
