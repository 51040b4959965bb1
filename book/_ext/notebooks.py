"""Every page with code can be taken home as a notebook: what it says, in its language, and its cells, ready to run.

The text is taken from the finished page, where numbers are filled in and sentences translated, and written as
Markdown. The code is taken from the page's source. Cells that only the book needs (`remove-cell`, and those that hand
data to widgets) stay behind, and nothing is run: `seeing/pixels.html` has `seeing/pixels.ipynb` beside it.

Once `book_repository` holds the repository's address, notebooks install mnistlib by themselves, and pages offer to open
theirs on Colab and Binder. Both fetch it from the branch `gh-pages`, where the workflow publishes the built book.
"""

from __future__ import annotations

import copy
import json
import posixpath
import re
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import nbformat
from bs4 import BeautifulSoup, Tag
from markdownify import MarkdownConverter
from myst_nb.core.read import read_myst_markdown_notebook
from sphinx.util import logging

log = logging.getLogger(__name__)

CELL, MATH = "THE-CODE-CELL-{}-", "THE-FORMULA-{}-"
MARK = re.compile(CELL.format(r"(\d+)"))
INSIDE = re.compile(r"(<(script|svg)\b[^>]*>).*?(</\2>)", re.DOTALL)
PRE = re.compile(r"<pre>.*?</pre>", re.DOTALL)
SPAN = re.compile(r"</?span\b[^>]*>")
WORDS = {
    "needs": 'Needs `mnistlib`, the package of this book. In the book\'s folder: `python -m pip install ".[book]"`.',
    "download": "Download this page as a notebook (.ipynb)",
    "open": "Open this page in {}",
}


def cells_of(source: str) -> list[nbformat.NotebookNode]:
    """The code cells of a page that leave something in it."""
    cells = read_myst_markdown_notebook(source).cells
    return [c for c in cells if c.cell_type == "code" and "remove-cell" not in c.metadata.get("tags", [])]


def without_trimmings(body: str) -> str:
    """A page's HTML without what its notebook does not show, which is most of it, and slow to read.

    >>> without_trimmings('<pre><span class="n">x</span></pre><svg aria-label="A curve."><path d="M0 0"/></svg>')
    '<pre>x</pre><svg aria-label="A curve."></svg>'
    """
    return PRE.sub(lambda code: SPAN.sub("", code[0]), INSIDE.sub(r"\1\3", body))


class ToMarkdown(MarkdownConverter):
    """A page's HTML as Jupyter's Markdown."""

    def convert_details(self, element, text, parent_tags):
        title = element.find("summary").get_text(" ", strip=True)
        body = text.strip().removeprefix(title).strip()
        return f"\n\n<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>\n\n"


def language_of(pre: Tag) -> str:
    """
    >>> page = BeautifulSoup('<div class="highlight-python notranslate"><pre>x</pre></div>', "html.parser")
    >>> language_of(page.pre)
    'python'
    """
    names = " ".join(" ".join(parent.get("class", [])) for parent in pre.parents)
    found = re.search(r"highlight-(\w+)", names)
    name = found[1] if found else ""
    return {"ipython3": "python", "default": "python", "none": ""}.get(name, name)


def markdown_of(article: Tag, address: str = "") -> list[str]:
    """The page's text: what stands before its first cell, between the first and the second, and so on."""
    page = copy.copy(article)
    formulas = [replace(element, MATH.format(number)) for number, element in enumerate(page.select("[data-tex]"))]
    for number, cell in enumerate(page.select("div.cell")):
        take_out(cell, CELL.format(number))
    for element in page.select(".headerlink, script, style, .widget"):
        element.decompose()
    for drawing in page.select("svg"):
        drawing.replace_with(f"({drawing['aria-label']})" if drawing.has_attr("aria-label") else "")
    for box in page.select("div.admonition"):
        box.name = "blockquote"
        box.find(class_="admonition-title").name = "strong"
    for link in page.select("a[href]"):
        target = urljoin(address, link["href"])
        if urlsplit(target).scheme:
            link["href"] = target
        else:
            link.unwrap()
    text = ToMarkdown(heading_style="ATX", bullets="-", code_language_callback=language_of).convert_soup(page)
    for number, formula in enumerate(formulas):
        text = text.replace(MATH.format(number), formula)
    return [re.sub(r"\n{3,}", "\n\n", part).strip() for part in MARK.split(text)[::2]]


def replace(element: Tag, mark: str) -> str:
    """Put a mark in a formula's place, which Markdown would misread, and return its LaTeX."""
    display = element.name == "div"
    new = BeautifulSoup("", "html.parser").new_tag("p" if display else "span")
    new.string = mark
    tex = element["data-tex"].strip()
    element.replace_with(new)
    return f"$$\n{tex}\n$$" if display else f"${tex}$"


def take_out(cell: Tag, mark: str) -> None:
    """Put a mark in a cell's place; its caption follows. A cell inside a dropdown comes after it."""
    dropdown = cell.find_parent("details")
    place = BeautifulSoup(f"<p>{mark}</p>", "html.parser")
    for caption in cell.select("figcaption"):
        caption.name = "p"
        place.append(caption.extract())
    if dropdown is None:
        cell.replace_with(*list(place.children))
        return
    # A dropdown's cells follow it in their order: each goes behind what is already there.
    last = dropdown
    while isinstance(last.next_sibling, Tag) and last.next_sibling.has_attr("data-moved"):
        last = last.next_sibling
    for element in reversed(list(place.children)):
        element["data-moved"] = ""
        last.insert_after(element)
    cell.decompose()


def notebook(article: Tag, source: str, address: str = "", repository: str = "", words: dict[str, str] = WORDS):
    """The notebook of a page."""
    cells, places = cells_of(source), article.select("div.cell")
    if len(cells) != len(places):
        raise ValueError(f"the page shows {len(places)} cells, but its source has {len(cells)}")
    texts = markdown_of(article, address)
    v4 = nbformat.v4
    new = [v4.new_markdown_cell(texts[0])]
    if repository:
        new.append(v4.new_code_cell(f'%pip install -q "mnistlib[book] @ git+{repository}"'))
    else:
        new.append(v4.new_markdown_cell(words["needs"]))
    for cell, place, text in zip(cells, places, texts[1:], strict=True):
        if not place.select('script[type="application/json"]'):
            new.append(v4.new_code_cell(cell.source, metadata=metadata_of(cell)))
        if text:
            new.append(v4.new_markdown_cell(text))
    for number, cell in enumerate(new, 1):
        cell.id = f"cell-{number}"  # the same page makes the same file
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=new, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})


def metadata_of(cell: nbformat.NotebookNode) -> dict:
    """What Jupyter should know of a cell: that it raises on purpose, that its code is folded."""
    tags = cell.metadata.get("tags", [])
    known: dict = {"tags": ["raises-exception"]} if "raises-exception" in tags else {}
    if {"hide-input", "remove-input", "hide-cell", "solution"} & set(tags):
        known["jupyter"] = {"source_hidden": True}
    return known


def launchers(repository: str, path: str) -> dict[str, str]:
    """Where a published notebook opens, by the service's name.

    >>> launchers("https://github.com/owner/name", "en/seeing/pixels.ipynb")["Colab"]
    'https://colab.research.google.com/github/owner/name/blob/gh-pages/en/seeing/pixels.ipynb'
    """
    owner = urlsplit(repository).path.strip("/").removesuffix(".git")
    if not owner:
        return {}
    return {
        "Colab": f"https://colab.research.google.com/github/{owner}/blob/gh-pages/{path}",
        "Binder": f"https://mybinder.org/v2/gh/{owner}/gh-pages?labpath={quote(path, safe='')}",
    }


def write_notebook(app, pagename, templatename, context, doctree) -> None:
    """Write the page's notebook beside it, and tell the template where it is."""
    if app.builder.name != "html" or doctree is None or not (source := page_source(app, pagename)):
        return
    article = BeautifulSoup(without_trimmings(context["body"]), "html.parser")
    config = app.config
    address = urljoin(config.html_baseurl, f"{pagename}.html") if config.html_baseurl else ""
    words = WORDS | config.notebook_words
    try:
        made = notebook(article, source, address, config.book_repository, words)
    except ValueError as error:
        log.warning("no notebook of this page: %s", error, location=pagename)
        return
    file = Path(app.outdir, f"{pagename}.ipynb")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    context["notebook"] = posixpath.basename(pagename) + ".ipynb"
    context["notebook_words"] = words
    context["launchers"] = launchers(config.book_repository, f"{Path(app.outdir).name}/{pagename}.ipynb")


def page_source(app, pagename: str) -> str:
    """The source of a page that has cells to run, else nothing."""
    file = Path(app.env.doc2path(pagename))
    text = file.read_text(encoding="utf-8") if file.suffix == ".md" else ""
    return text if "{code-cell}" in text else ""


def setup(app):
    app.add_config_value("book_repository", "", "html", str)
    app.add_config_value("notebook_words", {}, "html", dict)
    app.connect("html-page-context", write_notebook)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
