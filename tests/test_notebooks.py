"""The notebooks that readers download: whole, readable, and able to run. `tox -e notebooks` runs all of them."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from built import ROOT, SITE, needs_book
from notebooks import launchers, notebook
from run_notebooks import run

NOTEBOOKS = sorted(SITE.rglob("*.ipynb"))

SOURCE = """---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3}
---

# A page

```{code-cell}
x = 1
```

```{code-cell}
---
tags: [remove-cell]
---
assert x == 1
```

```{code-cell}
---
tags: [raises-exception]
---
x / 0
```

```{code-cell}
---
tags: [solution]
---
first = x
```

```{code-cell}
---
tags: [solution]
---
second = first
```
"""
BODY = """<section><h1>A page<a class="headerlink" href="#a">#</a></h1>
<p>One <a href="other.html#x">link</a>, one <a href="https://example.org/">outside</a>, and
<span class="math" data-tex="a_1 * b_2"><math></math></span>.</p>
<div class="cell"><div class="cell_input"><pre>x = 1</pre></div>
<figure><svg></svg><figcaption><p>A curve.</p></figcaption></figure></div>
<p>Between.</p>
<div class="cell"><div class="cell_input"><pre>x / 0</pre></div></div>
<details class="sd-dropdown"><summary><span>Solution</span><svg></svg></summary><div><p>Why.</p>
<div class="cell"><pre>first = x</pre></div><div class="cell"><pre>second = first</pre></div></div></details>
<p>The end.</p></section>"""


def cells(**options):
    return notebook(BeautifulSoup(BODY, "html.parser"), SOURCE, **options).cells


def test_cells_and_text_keep_their_order():
    code = [c.source for c in cells() if c.cell_type == "code"]
    assert code == ["x = 1", "x / 0", "first = x", "second = first"]
    text = "\n".join(c.source for c in cells())
    order = [
        "# A page",
        "x = 1",
        "A curve.",
        "Between.",
        "x / 0",
        "<summary>Solution",
        "Why.",
        "first =",
        "second =",
        "The end.",
    ]
    assert sorted(order, key=text.index) == order


def test_text_is_plain_markdown():
    text = cells()[0].source
    assert "$a_1 * b_2$" in text
    assert "link, one [outside](https://example.org/)" in " ".join(text.split())
    assert "[link](https://book.example/other.html#x)" in cells(address="https://book.example/page.html")[0].source


def test_a_cell_that_raises_on_purpose_does_not_stop_the_notebook():
    assert [c.metadata.get("tags") for c in cells() if c.source == "x / 0"] == [["raises-exception"]]


def test_solutions_are_folded():
    assert [c.metadata.jupyter.source_hidden for c in cells() if c.source == "first = x"] == [True]


def test_page_and_source_must_agree():
    with pytest.raises(ValueError, match="shows 4 cells, but its source has 5"):
        notebook(BeautifulSoup(BODY, "html.parser"), SOURCE + "\n```{code-cell}\n1\n```\n")


def test_services_are_offered_once_the_repository_has_an_address():
    assert launchers("", "en/index.ipynb") == {}
    repository = "https://github.com/owner/name"
    assert list(launchers(repository, "en/index.ipynb")) == ["Colab", "Binder"]
    assert any(f'%pip install -q "mnistlib[book] @ git+{repository}"' in c.source for c in cells(repository=repository))
    assert not any("%pip" in c.source for c in cells())


@needs_book
def test_every_page_with_code_has_one():
    with_code = [p for p in (ROOT / "book").rglob("*.md") if "{code-cell}" in p.read_text(encoding="utf-8")]
    expected = {p.relative_to(ROOT / "book").with_suffix(".ipynb").as_posix() for p in with_code}
    assert {p.relative_to(SITE).as_posix() for p in NOTEBOOKS} == expected
    for file in NOTEBOOKS:
        page = BeautifulSoup(file.with_suffix(".html").read_text(encoding="utf-8"), "html.parser")
        assert page.select_one(f'a[download][href="{file.name}"]')


@needs_book
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda p: p.relative_to(SITE).as_posix())
def test_notebook_is_valid_and_readable(file):
    made = nbformat.read(file, as_version=4)
    nbformat.validate(made)
    assert made.cells[0].source.startswith("# ")
    text = "\n".join(c.source for c in made.cells if c.cell_type == "markdown")
    assert not re.search(r"THE-(CODE-CELL|FORMULA)|\{(glue|term|py|numref)|</?(div|span|svg|math)\b", text)
    code = "\n".join(c.source for c in made.cells if c.cell_type == "code")
    assert "glue(" not in code


@needs_book
def test_a_notebook_runs_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MNISTLIB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    run(SITE / "seeing" / "pixels.ipynb", str(tmp_path / "work"))
