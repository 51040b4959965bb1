"""What the book needs to be an EPUB that reading devices accept and show well: `sphinx-build -b epub`, `tox -e epub`.

Sphinx's builder makes the file. An EPUB is XHTML, stricter than a browser's HTML; it runs no scripts; and its styles
meet devices that know no CSS variables. So, for this builder only:

- what is folded stands open, and what readers would move (widgets) and its data are left out,
- figures are black on white by themselves, whatever theme the device has,
- what cells print as HTML becomes XHTML, and the shades of a table's cells stand at the cells, as a page's body may
  have no style sheet,
- the package says which pages hold formulas and drawings, as EPUB 3 demands,
- the Chinese edition brings the characters that it uses (book/_paper/chinese_font.py).
"""

from __future__ import annotations

import re
from pathlib import Path

import chinese_font
from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.builders.epub3 import Epub3Builder
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from widgets import widget

STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
SCRIPT = re.compile(r"<script.*?</script>", re.DOTALL)
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
CELL = re.compile(r"#([\w-]+)\s*(?:,|$)")
WITH_ID = re.compile(r'(<t[dh][^>]*?) id="([\w-]+)"')
STYLES = {"epub.css", "pygments.css", "chinese.css"}
# What Sphinx writes around the pages, in Chinese.
FRAME = (
    "目录索引搜索符号作者版权所有图表公式定义参数类型返回抛出基类属性方法在中模块函数异常警告注意提示链接到此标题的永久"
)
VOID = re.compile(r"<(br|hr|img|col|input|wbr)\b([^>]*?)\s*/?>")


class Epub(Epub3Builder):
    def build_content(self) -> None:
        super().build_content()
        package = Path(self.outdir, "content.opf")
        package.write_text(ITEM.sub(self.declared, package.read_text(encoding="utf-8")), encoding="utf-8")

    def declared(self, item: re.Match[str]) -> str:
        page = Path(self.outdir, item[1]).read_text(encoding="utf-8")
        held = " ".join(name for name, tag in (("mathml", "<math"), ("svg", "<svg")) if tag in page)
        return item[0].replace(" />", f' properties="{held}" />') if held else item[0]


ITEM = re.compile(r'<item id="epub-[^"]*" href="([^"]+\.xhtml)"[^>]*/>')


class ForReadingDevices(SphinxPostTransform):
    """After figures and tables are drawn, before dropdowns are."""

    default_priority = 12
    formats = ("html",)

    def run(self, **kwargs) -> None:
        if self.env._builder_cls.name != "epub":
            return
        for node in list(self.document.findall(widget)):
            node.parent.remove(node)
        for node in self.document.findall(nodes.container):
            if node.get("design_component") == "dropdown":
                node["opened"] = True
        for node in list(self.document.findall(nodes.raw)):
            if "html" in node.get("format", "").split():
                node.replace_self(nodes.raw("", xhtml(node.astext()), **node.attributes))


class Unfold(SphinxPostTransform):
    """Code that a page hides behind a line stands in the open; what stands open needs no arrow that says so."""

    default_priority = 900  # after dropdowns are drawn, and MyST-NB has hidden what it hides
    formats = ("html",)

    def run(self, **kwargs) -> None:
        if self.env._builder_cls.name == "epub":
            for node in list(self.document.findall(HideCodeCellNode)):
                node.replace_self(node.children)
            for node in list(self.document.findall(nodes.inline)):
                if "sd-summary-state-marker" in node["classes"]:
                    node.parent.remove(node)


def xhtml(html: str) -> str:
    """HTML of a cell, a figure or a diagram as XHTML without scripts and style sheets.

    >>> xhtml("<p>a&nbsp;b<br>c</p><script>x()</script>")
    '<p>a&#160;b<br/>c</p>'
    >>> xhtml('<style>#T1_row0_col0, #T1_row0_col1 {color: #fff;}</style><td id="T1_row0_col1">5</td>')
    '<td style="color: #fff;">5</td>'
    >>> xhtml('<svg style="fill: currentColor"><path style="fill: var(--figure-paper, #ffffff)"/></svg>')
    '<svg style="fill: #000000; background: #ffffff"><path style="fill: #ffffff"/></svg>'
    """
    shades: dict[str, str] = {}
    for sheet in STYLE.findall(html):
        for selectors, rules in RULE.findall(sheet.partition(">")[2]):
            for cell in CELL.findall(selectors.strip()):
                shades[cell] = f"{shades.get(cell, '')} {' '.join(rules.split())}".strip()
    html = SCRIPT.sub("", STYLE.sub("", html))
    html = WITH_ID.sub(lambda m: m[1] + (f' style="{shades[m[2]]}"' if m[2] in shades else ""), html)
    html = VOID.sub(r"<\1\2/>", html.replace("&nbsp;", "&#160;").replace(' border="1"', ""))
    return black_on_white(html) if "<svg" in html else html


def black_on_white(html: str) -> str:
    html = re.sub(r"var\(--[\w-]+, (#\w+)\)", r"\1", html).replace("currentColor", "#000000")
    return re.sub(r'(<svg[^>]*style=")([^"]*)"', r'\1\2; background: #ffffff"', html)


def styles_that_are_there(app, page: str, template: str, context: dict, doctree) -> None:
    """The screen's style sheets are not made for such devices, and MyST-NB names one that it does not copy."""
    if app.builder.name == "epub":
        context["css_files"] = [s for s in context["css_files"] if Path(str(s.filename)).name in STYLES]


def add_chinese_font(app) -> None:
    """A font of the characters of the catalogues and of the book's own words, and the style sheet that uses it."""
    if app.builder.name != "epub" or not app.config.language.startswith("zh"):
        return
    folder = Path(app.doctreedir).parent / "font"
    catalogues = sorted((Path(app.srcdir) / "locales" / app.config.language).rglob("*.po"))
    words = "".join(file.read_text(encoding="utf-8") for file in catalogues) + app.config.copyright + FRAME
    try:
        chinese_font.write_subset(words, folder / chinese_font.FILE)
    except FileNotFoundError as error:
        raise ExtensionError(str(error)) from error
    rule = chinese_font.style(chinese_font.FILE) + f'\nbody {{ font-family: serif, "{chinese_font.NAME}"; }}\n'
    (folder / "chinese.css").write_text(rule, encoding="utf-8")
    app.config.html_static_path.append(str(folder))
    app.add_css_file("chinese.css")


def setup(app):
    app.connect("builder-inited", add_chinese_font)
    app.add_builder(Epub, override=True)
    app.connect("html-page-context", styles_that_are_there, priority=900)
    app.add_post_transform(ForReadingDevices)
    app.add_post_transform(Unfold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
