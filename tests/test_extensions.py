"""The book's Sphinx extensions, on a page of a few lines that is built as the book is built."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import widgets
from bs4 import BeautifulSoup
from sphinx.errors import ExtensionError

ROOT = Path(__file__).parents[1]

FRONT = "---\nfile_format: mystnb\nkernelspec: {name: python3, display_name: Python 3}\n---\n\n"
PAGE = (
    FRONT
    + """# A page

A {term}`tensor` of {glue:text}`index.md::n:d` numbers, $x^2$, {py:func}`torch.where`.

$$
\\sqrt{\\sum_{i=1}^{n} x_i}
$$ (eq-root)

```{code-cell}
---
tags: [remove-cell]
---
from myst_nb import glue
glue("n", 12396, display=False)
```

```{code-cell}
---
mystnb:
  image:
    alt: A rising line.
---
import matplotlib.pyplot as plt
fig, ax = plt.subplots()
ax.plot([0, 1], [0, 1], color="black")
ax.set(xlabel="epoch 3", title="accuracy")
plt.show()
```

```{code-cell}
from IPython.display import HTML
HTML('<style>#T_0a1b2_row0_col0 {background-color: #7d7d7d; color: #f1f1f1}</style>'
     '<table id="T_0a1b2"><tr><th class="blank level0">&nbsp;</th><td id="T_0a1b2_row0_col0">1</td></tr></table>')
```

```{diagram}
:alt: Two boxes.

flowchart LR
  a[first] --> b[second]
  b -->|again| a
```

:::{dropdown} Solution
In words.
:::

```{code-cell}
---
tags: [solution]
---
print("in code")
```

```{widget} shapes
:replaces: fig-shapes

try: Type two shapes.
a: shape a
fits: "They fit: {}, all {} of them."
```

```{glossary}
tensor
  An array with a shape. It has more to it.
```
"""
)


class Book:
    """A small book in a folder of its own, and Sphinx to build it with the real book's conf.py."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.source = folder, folder / "book"
        self.source.mkdir()
        shutil.copy(ROOT / "book" / "links.toml", self.source)

    def write(self, text: str, name: str = "index.md") -> None:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def build(self, builder: str = "html", language: str = "en", *options: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "sphinx", "-W", "-n", "-E", "-b", builder, "-c", ROOT, "-D"]
        command += [f"language={language}", *options, self.source, self.folder / f"{builder}-{language}"]
        environment = os.environ | {"BOOK_BUILD": str(self.folder / "build"), "PYTHONUTF8": "1"}
        environment.pop("BOOK_ONLY", None)
        return subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)

    def page(self, language: str = "en") -> BeautifulSoup:
        return BeautifulSoup((self.folder / f"html-{language}" / "index.html").read_text("utf-8"), "html.parser")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    book = Book(tmp_path_factory.mktemp("book"))
    book.write(PAGE)
    done = book.build()
    assert done.returncode == 0, done.stderr
    return book


@pytest.fixture(scope="module")
def page(book):
    return book.page()


pytestmark = pytest.mark.slow


def test_glued_number_is_in_its_sentence(page):
    assert "12396" in page.find("p").text


def test_term_carries_the_first_sentence_of_its_definition(page):
    link = page.select_one("a[data-tip]")
    assert link["data-tip"] == link["aria-description"] == "An array with a shape."


def test_name_of_another_project_is_a_link(page):
    assert page.find("a", href=lambda h: h and h.endswith("torch.where.html#torch.where"))


def test_formulas_are_mathml_with_limits_below_and_above(page):
    assert page.select_one("span.math > math")
    assert page.select_one("div.math > math munderover")
    assert page.select_one("div.math .eqno").text.startswith("(1)")


def test_figure_stands_in_the_page_and_follows_the_theme(page):
    figure = page.select_one("svg.figure:not(.diagram)")
    assert figure["aria-label"] == "A rising line."
    assert "currentColor" in str(figure)
    assert "#000000" not in str(figure)
    assert not figure.find(["metadata", "style"])
    assert "epoch 3" in [t.text for t in figure.find_all("text")]


def test_shaded_cell_gets_readable_letters_and_steady_ids(page):
    box = page.select_one(".table-box")
    assert box["tabindex"] == "0"
    assert "background-color: #7d7d7d; color: #000000" in str(box)
    assert "T_0a1b2" not in str(box)
    assert not box.find("th")


def test_solution_is_inside_its_dropdown(page):
    assert "in code" in page.select_one("details").text


def test_diagram_is_drawn(page):
    chart = page.select_one("svg.diagram")
    assert chart["aria-label"] == "Two boxes."
    assert [t.text for t in chart.find_all("text")] == ["again", "first", "second"]


def test_widget_brings_its_words_and_its_modules(page):
    box = page.select_one(".widget[hidden]")
    assert box["data-widget"] == "shapes"
    assert box["data-replaces"] == "fig-shapes"
    words = json.loads(box["data-words"])
    assert words == {"try": "Type two shapes.", "a": "shape a", "fits": "They fit: {}, all {} of them."}
    script = page.select_one("script[type=module]").string
    assert not re.search("^(import|export)", script, re.MULTILINE)
    assert [script.count(f"function {name}(") for name in ("mount", "outcome", "start")] == [1, 1, 1]
    assert script.rstrip().endswith('mount("shapes", start);')


def test_modules_of_a_widget_may_not_share_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(widgets, "FOLDER", tmp_path)
    (tmp_path / "mount.js").write_text("export function mount() {}\nexport const make = 1;\n", "utf-8")
    (tmp_path / "parts.js").write_text('import { make } from "./mount.js";\nexport const part = make;\n', "utf-8")
    one = 'import {\n  mount,\n} from "./mount.js";\nimport { part } from "./parts.js";\n'
    (tmp_path / "one.js").write_text(one + "export default function start() {}\n", "utf-8")
    text = "function mount() {}\nconst make = 1;\n\nconst part = make;\n\nfunction start() {}\n"
    assert widgets.module_text("one") == text + '\nmount("one", start);\n'
    (tmp_path / "two.js").write_text(one + "const make = 2;\nexport default function start() {}\n", "utf-8")
    with pytest.raises(ExtensionError, match="make defined twice among mount, parts, two"):
        widgets.module_text("two")


def test_words_of_figures_and_diagrams_are_translated_without_running_again(book):
    done = book.build("gettext")
    assert done.returncode == 0, done.stderr
    catalogue = (book.folder / "gettext-en" / "index.pot").read_text("utf-8")
    words = {"A rising line.": "一条上升的线。", "epoch {}": "第 {} 轮", "Two boxes.": "两个方框。", "first": "第一"}
    words |= {"Type two shapes.": "输入两个形状。"}
    assert [w for w in words if f'msgid "{w}"' not in catalogue] == []

    entries = [f'msgid "{a}"\nmsgstr "{b}"\n' for a, b in words.items()]
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n'
    book.write("\n".join([header, *entries]), "locales/zh_CN/LC_MESSAGES/index.po")
    done = book.build(language="zh_CN")
    assert done.returncode == 0, done.stderr
    assert "Using cached notebook" in done.stdout
    assert "Executing" not in done.stdout
    page = book.page("zh_CN")
    assert page.select_one("svg.figure:not(.diagram)")["aria-label"] == "一条上升的线。"
    assert page.select_one("svg.diagram")["aria-label"] == "两个方框。"
    said = json.loads(page.select_one(".widget")["data-words"])
    assert (said["try"], said["a"]) == ("输入两个形状。", "shape a")  # what nobody translated stays as it was
    assert {"第 3 轮", "第一", "accuracy"} <= {t.text for t in page.select("svg text")}


CELL = FRONT + "# A page\n\n```{code-cell}\n"
PAGES = "# Pages\n\n```{toctree}\na\nb\nc\n```\n"


def test_pages_run_two_at_a_time_and_slow_ones_first(tmp_path):
    book = Book(tmp_path)
    book.write(PAGES)
    for name in "abc":
        book.write(CELL + f"import time; print({name!r}, 'began', time.time()); time.sleep(1)\n```\n", f"{name}.md")
    done = book.build("html", "en", "-j", "2", "-D", "slow_pages=c")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Using cached notebook") == 3
    assert "Executing notebook" not in done.stdout
    pages = [(tmp_path / "html-en" / f"{name}.html").read_text("utf-8") for name in "abc"]
    a, b, c = (float(re.search(r"began ([\d.]+)", page)[1]) for page in pages)
    assert abs(a - c) < 1 < b - min(a, c)


def test_a_page_that_fails_beside_others_is_named_with_its_cell(tmp_path):
    book = Book(tmp_path)
    book.write(PAGES)
    for name, code in {"a": "1 / 0", "b": "import time; time.sleep(60)", "c": "3"}.items():
        book.write(CELL + code + "\n```\n", f"{name}.md")
    done = book.build("dummy", "en", "-j", "2")
    assert done.returncode != 0
    assert re.search(r"A page could not be run.*a\.md.*1 / 0.*ZeroDivisionError", done.stderr, re.DOTALL)
    assert "CancelledError" not in done.stderr


TEXT = "# A page\n\n"


@pytest.mark.parametrize(
    ("text", "complaint", "builder"),
    [
        (CELL + "1 / 0\n```", "ZeroDivisionError", "dummy"),
        (CELL + "import sys; print('oh', file=sys.stderr)\n```", "stderr was found", "dummy"),
        (CELL + "import matplotlib.pyplot as p; p.plot([1]); p.show()\n```", "without a description", "html"),
        (CELL + ":tags: [solution]\n1\n```", "must follow a {dropdown}", "dummy"),
        (TEXT + "```{diagram}\n:alt: a\n\nflowchart LR\n  a => b\n```", "cannot read", "dummy"),
        (TEXT + "```{widget} nothing\n```", "no widget named 'nothing'", "dummy"),
        (TEXT + "{glue:text}`n`", "other forms come out empty", "dummy"),
        (TEXT + "$\\frac$", "cannot read the formula", "html"),
    ],
    ids=["raises", "stderr", "no alt", "no dropdown", "bad diagram", "no widget", "bare glue", "bad formula"],
)
def test_what_is_wrong_fails_the_build(tmp_path, text, complaint, builder):
    book = Book(tmp_path)
    book.write(text)
    done = book.build(builder)
    assert done.returncode != 0
    assert complaint in done.stderr
