"""Nothing public is undocumented, every public name shows an example, and lessons and reference lead to each other."""

import doctest
import importlib
import inspect
import pkgutil
import re

import pytest
from built import ROOT, SITE, needs_book

import mnistlib

LESSONS = [p for part in ("seeing", "learning", "classifier", "further") for p in (SITE / part).glob("*.html")]
MODULES = [m.name for m in pkgutil.iter_modules(mnistlib.__path__) if not m.name.startswith("_")]


def public_names():
    """Every name that a module of the package offers."""
    for name in MODULES:
        module = importlib.import_module(f"mnistlib.{name}")
        for attribute in module.__all__:
            yield pytest.param(getattr(module, attribute), id=f"{name}.{attribute}")


def methods(cls):
    for name, value in vars(cls).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        # A callback's events are listed where they are defined, once for all.
        if inspect.isfunction(function) and not name.startswith(("_", "before_", "after_")):
            yield name, function


PUBLIC = list(public_names())


def test_there_is_something_to_check():
    assert len(PUBLIC) > 30


@pytest.mark.parametrize("thing", PUBLIC)
def test_is_documented(thing):
    assert inspect.getdoc(thing)
    if inspect.isclass(thing):
        assert [name for name, method in methods(thing) if not inspect.getdoc(getattr(thing, name, method))] == []


@pytest.mark.parametrize("thing", PUBLIC)
def test_shows_an_example(thing):
    assert sum(len(test.examples) for test in doctest.DocTestFinder().find(thing)) > 0


@pytest.mark.parametrize("thing", PUBLIC)
@needs_book
def test_is_in_the_reference(thing):
    module, name = thing.__module__.rpartition(".")[2], thing.__qualname__
    page = (SITE / "reference" / "api" / f"{module}.html").read_text(encoding="utf-8")
    assert f'id="mnistlib.{module}.{name}"' in page


@pytest.mark.parametrize("module", MODULES)
def test_reference_leads_to_a_lesson(module):
    page = (ROOT / "book" / "reference" / "api" / f"{module}.md").read_text(encoding="utf-8")
    assert re.search(r"\]\(\.\./\.\./(seeing|learning|classifier|further)/", page)


@needs_book
@pytest.mark.parametrize("module", MODULES)
def test_a_lesson_leads_to_the_reference(module):
    assert any(f"reference/api/{module}.html#" in page.read_text(encoding="utf-8") for page in LESSONS)
