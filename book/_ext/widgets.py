"""Parts of a page that readers move: small ES modules, without a build step and without a server.

    ```{widget} descent
    :replaces: fig-gd-path
    :data: descent-data

    try: Set a rate and run.
    run: Run
    loss: "loss: {}"
    ```

names the module `book/_static/widgets/descent.js`, whose default export `start(box, words, data)` fills a box. `words`
are the lines of the body: messages of the page's catalogue, so the widget speaks the page's language. `try` is shown
first, in the box, so that nobody is told to move what is not there. `data` is what an executed cell left in the page,
as `<script type="application/json" id="descent-data">`. `replaces` is the label of the figure that stays for readers
without scripts, and on paper.

A page opened from a folder (file://) may not load modules, so their text is put into the page. There, and only there,
`import {...} from "./other.js"` becomes the other file's text. First paint does not wait for it: modules run last.
"""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from messages import NOWHERE_ELSE, with_messages
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

FOLDER = Path(__file__).parent.parent / "_static" / "widgets"
IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+)\.js";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?:default )?", re.MULTILINE)
DEFINED = re.compile(r"^(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
MOUNT = "\nmount({name}, start);\n"


class widget(with_messages, nodes.General, nodes.Element):
    """The place of a widget, and its words by their keys."""

    def extract_original_messages(self) -> list[str]:
        return list(dict.fromkeys(self["words"].values()))


def words_of(lines: list[str]) -> dict[str, str]:
    """
    >>> words_of(["run: Run", 'hint: "a: b"', ""])
    {'run': 'Run', 'hint': 'a: b'}
    """
    pairs = (line.partition(":") for line in lines if line.strip())
    return {key.strip(): value.strip().strip('"') for key, _, value in pairs}


def module_text(name: str) -> str:
    """The module and all that it imports, each once, as one script; so what they define needs different names."""
    parts: dict[str, str] = {}

    def read(module: str) -> None:
        text = (FOLDER / f"{module}.js").read_text(encoding="utf-8")
        for other in IMPORT.findall(text):
            if other not in parts:
                read(other)
        parts[module] = EXPORT.sub("", IMPORT.sub("", text))

    read("mount")
    read(name)
    text = "\n".join(parts.values())
    if twice := sorted(word for word, count in Counter(DEFINED.findall(text)).items() if count > 1):
        raise ExtensionError(f"widget {name!r}: {', '.join(twice)} defined twice among {', '.join(parts)}")
    return text + MOUNT.format(name=json.dumps(name))


class WidgetDirective(SphinxDirective):
    required_arguments = 1
    has_content = True
    option_spec = {"replaces": directives.unchanged, "data": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if not (FOLDER / f"{name}.js").is_file():
            raise self.error(f"no widget named {name!r}: there is no file {name}.js in book/_static/widgets")
        node = widget("", name=name, words=words_of(list(self.content)), **self.options)
        self.set_source_info(node)
        for path in FOLDER.glob("*.js"):
            self.env.note_dependency(str(path))
        return [node]


def visit_html(self, node: widget) -> None:
    name = node["name"]
    words = {key: node.in_language(text) for key, text in node["words"].items()}
    attributes = {"class": "widget", "data-widget": name, "data-words": json.dumps(words, ensure_ascii=False)}
    attributes |= {f"data-{key}": node[key] for key in ("replaces", "data") if key in node}
    given = " ".join(f'{key}="{html.escape(value)}"' for key, value in attributes.items())
    self.body.append(f"<div {given} hidden></div>\n")
    started = self.__dict__.setdefault("widgets_started", set())
    if name not in started:
        started.add(name)
        self.body.append(f'<script type="module">\n{module_text(name)}</script>\n')
    raise nodes.SkipNode


def setup(app):
    app.add_node(widget, html=(visit_html, None), **NOWHERE_ELSE)
    app.add_directive("widget", WidgetDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
