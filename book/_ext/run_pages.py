"""Pages run as many at a time as there are processors, those that take long first.

MyST-NB runs a page when it is read. Sphinx reads pages in a few large groups, in the order of their names, so one
processor gets most of the long ones and the others wait for it. Here pages whose results are not known are run before
any page is read, and their results are put where MyST-NB looks for them.

`slow_pages` in conf.py names the pages to begin with. It need not be complete: a page that is not named runs later.
"""

from __future__ import annotations

import multiprocessing
import sys
from asyncio import CancelledError
from collections.abc import Iterator
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.errors import SphinxError
from sphinx.util.display import status_iterator


class PageError(SphinxError):
    category = "A page could not be run"


def in_order(pages: list[str], slow: list[str]) -> list[str]:
    """
    >>> in_order(["a", "b", "c", "d"], ["d", "b"])
    ['d', 'b', 'a', 'c']
    """
    return sorted(pages, key=lambda page: slow.index(page) if page in slow else len(slow))


def not_yet_run(app, pages: list[str]) -> Iterator[tuple[str, Path, NotebookNode]]:
    """The pages whose cells have no results, with their files and cells."""
    config, cache = app.env.mystnb_config, get_cache(app.config.nb_execution_cache_path)
    for page in pages:
        file = Path(app.env.doc2path(page))
        text = file.read_text(encoding="utf-8")
        reader = create_nb_reader(str(file), app.env.myst_config, config, text)
        if reader is None:
            continue
        cells = reader.read(text)
        try:
            cache.match_cache_notebook(cells)
        except KeyError:
            yield page, file, cells


def run_page(job: tuple[str, Path, NotebookNode, str, int]) -> tuple[str, str]:
    """Run a page as MyST-NB would, and keep its results; its name, and the traceback of a cell that failed."""
    page, file, cells, cache_path, timeout = job
    try:
        done = single_nb_execution(cells, cwd=str(file.parent), timeout=timeout, allow_errors=False)
    except CancelledError:
        sys.exit(1)  # another page failed, which is what the build has to say
    if done.err:
        return page, done.exc_string
    bundle = CacheBundleIn(cells, str(file), data={"execution_seconds": done.time})
    get_cache(cache_path).cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    return page, ""


def run_pages(app, env, docnames: list[str]) -> None:
    if app.parallel < 2 or app.config.nb_execution_mode != "cache":
        return  # MyST-NB runs them
    settings = app.config.nb_execution_cache_path, app.config.nb_execution_timeout
    jobs = [(*page, *settings) for page in not_yet_run(app, in_order(docnames, app.config.slow_pages))]
    if len(jobs) < 2:
        return
    # A process a page: one that is told to stop has its page stopped instead, and would then wait for another.
    with multiprocessing.Pool(min(app.parallel, len(jobs)), maxtasksperchild=1) as processes:
        results = processes.imap_unordered(run_page, jobs)
        for page, traceback in status_iterator(results, "running pages... ", "purple", len(jobs), stringify_func=first):
            if traceback:
                raise PageError(f"{env.doc2path(page)}\n{traceback}")


def first(result: tuple[str, str]) -> str:
    return result[0]


def setup(app):
    app.add_config_value("slow_pages", [], "", list)
    app.connect("env-before-read-docs", run_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
