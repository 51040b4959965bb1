"""The book in several languages: each page leads to itself in the others, and a first page chooses among them.

Languages are built into folders beside one another, named after them: `site/en`, `site/zh_CN`. Where a folder has
another name (a preview of one page), nothing is offered that would not be there.

Sections have the same names in all languages, so a reader changes the language amid a page and goes on reading there.
book.js adds the section, and remembers the choice for the first page, which is `_templates/front.html`.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from urllib.parse import urljoin

from docutils import nodes
from files import write_whole
from policy import guarded
from sphinx.transforms import SphinxTransform


class TableCells(SphinxTransform):
    """Tables inside boxes say where they come from, as those outside do: Sphinx translates nothing else."""

    default_priority = 5  # before anything is translated

    def apply(self, **_) -> None:
        for entry in self.document.findall(nodes.entry):
            for paragraph in entry.findall(nodes.paragraph):
                paragraph.source = paragraph.source or self.document["source"]
                paragraph.line = paragraph.line or 0


def tag(language: str) -> str:
    """The name of a language in HTML.

    >>> tag("zh_CN")
    'zh-CN'
    """
    return language.replace("_", "-")


def other_places(page: str, language: str, languages: dict[str, str]) -> list[dict[str, str]]:
    """Where a page is found in the other languages.

    >>> other_places("seeing/pixels", "en", {"en": "English", "zh_CN": "中文"})
    [{'name': '中文', 'folder': 'zh_CN', 'tag': 'zh-CN', 'address': '../../zh_CN/seeing/pixels.html'}]
    """
    folder = posixpath.dirname(page)
    return [
        {
            "name": name,
            "folder": other,
            "tag": tag(other),
            "address": posixpath.relpath(f"../{other}/{page}.html", folder or "."),
        }
        for other, name in languages.items()
        if other != language
    ]


def is_offered(app) -> bool:
    """Whether the book is built as one of several languages, which lie beside one another."""
    config = app.config
    return app.builder.name == "html" and len(config.languages) > 1 and Path(app.outdir).name == config.language


def offer(app, page: str, template: str, context: dict, doctree) -> None:
    """Tell the page's template where the other languages are."""
    config = app.config
    if not is_offered(app) or page == "404":  # which has no counterpart to switch to
        return
    others = other_places(page, config.language, config.languages)
    context["other_languages"] = others
    here = {"tag": tag(config.language), "address": posixpath.basename(page) + ".html"}
    own = urljoin(config.html_baseurl, f"{page}.html") if config.html_baseurl else ""
    links = [(one["tag"], urljoin(own, one["address"])) for one in [here, *others]]
    context["metatags"] = context.get("metatags", "") + "".join(
        f'\n<link rel="alternate" hreflang="{name}" href="{address}">' for name, address in links
    )


def write_front(app, error: Exception | None) -> None:
    """The page above the languages."""
    if error or not is_offered(app):
        return
    text = (Path(__file__).parent.parent / "_templates" / "front.html").read_text(encoding="utf-8")
    write_whole(Path(app.outdir).parent / "index.html", guarded(re.sub(r"\{#.*?#\}\n", "", text, flags=re.DOTALL)))


def setup(app):
    app.add_config_value("languages", {}, "html", dict)
    app.add_transform(TableCells)
    app.connect("html-page-context", offer)
    app.connect("build-finished", write_front)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
