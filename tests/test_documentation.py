"""Nothing public is undocumented, every public name shows an example, and lessons and reference lead to each other."""

import doctest
import importlib
import inspect
import os
import pkgutil
import re
from pathlib import Path

import pytest

import mnistlib

ROOT = Path(__file__).parents[1]
SITE = Path(os.environ.get("BOOK_SITE", ROOT / "_build" / "site" / "en"))
LESSONS = [
    p for folder in ("seeing", "learning", "classifier", "further") for p in (ROOT / "book" / folder).glob("*.md")
]
MODULES = [m.name for m in pkgutil.iter_modules(mnistlib.__path__) if not m.name.startswith("_")]


def public_names():
    for name in MODULES:
        module = importlib.import_module(f"mnistlib.{name}")
        for attribute, value in vars(module).items():
            defined = inspect.isfunction(value) or inspect.isclass(value)
            if defined and not attribute.startswith("_") and value.__module__ == module.__name__:
                yield pytest.param(value, id=f"{name}.{attribute}")


def methods(cls):
    for name, value in vars(cls).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if inspect.isfunction(function) and not name.startswith("_"):
            yield name, function


def test_there_is_something_to_check():
    assert len(list(public_names())) > 40


@pytest.mark.parametrize("thing", public_names())
def test_is_documented(thing):
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        assert [name for name, method in methods(thing) if not inspect.getdoc(getattr(thing, name, method))] == []


@pytest.mark.parametrize("thing", public_names())
def test_shows_an_example(thing):
    assert sum(len(test.examples) for test in doctest.DocTestFinder().find(thing)) > 0


@pytest.mark.parametrize("thing", public_names())
@pytest.mark.skipif(not (SITE / "objects.inv").is_file(), reason="no book: build it first with `tox -e book`")
def test_is_in_the_reference(thing):
    module, name = thing.__module__.rpartition(".")[2], thing.__qualname__
    page = (SITE / "reference" / "api" / f"{module}.html").read_text(encoding="utf-8")
    assert f'id="mnistlib.{module}.{name}"' in page


@pytest.mark.parametrize("module", MODULES)
def test_reference_and_lessons_lead_to_each_other(module):
    page = (ROOT / "book" / "reference" / "api" / f"{module}.md").read_text(encoding="utf-8")
    assert re.search(r"\]\(\.\./\.\./(seeing|learning|classifier|further)/", page), "no link to a lesson"
    if module != "exercises":
        linked = [
            p for p in LESSONS if re.search(rf"\{{py:\w+\}}`~?mnistlib\.{module}\b", p.read_text(encoding="utf-8"))
        ]
        assert linked, "no lesson links to it"
