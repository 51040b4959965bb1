"""Exercises that check themselves.

The lessons ask for small functions.  `check` runs yours on handwritten digits and on cases made by
hand, compares it with a solution, and says what is off; mistakes that many people make are named.

The solutions stand in this file: try first, read later.
"""

# ruff: noqa: ARG001, ARG005  wrong answers often leave unused what they are given

import copy
import inspect
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mnistlib.data import Digits, mnist_sample
from mnistlib.distance import l1_distance, rmse_distance
from mnistlib.losses import mnist_loss
from mnistlib.models import simple_net

__all__ = ["check"]

Answer = Callable[..., Any]


def check(answer: Answer | str, function: Answer | None = None) -> bool:
    """Say whether an answer to an exercise is right, and if it is not, what is off.

    The exercise is found by the name of the function.  The function gets copies, so it cannot spoil the
    data, and random numbers go on afterwards as if it had never run.

    Parameters
    ----------
    answer : callable or str
        The function or class that the exercise asks for; or the exercise's name, for one that is called otherwise.
    function : callable, optional
        The answer, where the name comes first: ``check("ink", lambda image: ...)``.

    Returns
    -------
    bool
        True if it is right.  The verdict is printed as well, in one line.

    Raises
    ------
    ValueError
        If there is no exercise of that name; the message lists all.

    Examples
    --------
    >>> check("ink", lambda image: float(image.float().mean()))
    ink: divide by 255, so that full ink is 1. For an image full of ink, the result is 255.0, not 1.0.
    False
    >>> check("ink", lambda image: float(image.float().mean() / 255))
    ink: right.
    True
    """
    name = answer if isinstance(answer, str) else getattr(answer, "__name__", None)
    known = f"The exercises are {', '.join(sorted(EXERCISES))}"
    if name is None:
        raise ValueError(f"check needs the function itself, as in check(ink); this is {_a(answer)}. {known}")
    if name not in EXERCISES:
        hint = "" if isinstance(answer, str) else "; put the exercise's name first, as in check('ink', my_function)"
        raise ValueError(f"no exercise is called {name!r}{hint}. {known}")
    verdict = _verdict(EXERCISES[name], function if isinstance(answer, str) else answer)
    print(f"{name}: {verdict or 'right'}.")  # noqa: T201
    return not verdict


# -- what an exercise is ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """What an answer is tried on: arguments, and words for them that may follow "for".

    Misconceptions are told apart by the cases that are ``telling``.  Others, such as real images, can only
    refute an answer: one and the same mistake may give everybody another value there, or it would take too long.
    """

    given: str
    args: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    telling: bool = True


@dataclass(frozen=True)
class Exercise:
    """One exercise of a page.

    ``misconceptions`` maps words to a wrong answer: whoever's answer does the same as that one in every
    telling case is told these words.  ``observe(answer, *args)`` makes of an answer what can be compared, where
    that is not simply what it returns.
    """

    page: str
    solution: Answer
    cases: Callable[[], Iterable[Case]]
    misconceptions: Mapping[str, Answer]
    observe: Answer | None = None

    def names(self) -> list[str]:
        """Return what the arguments of a case are called."""
        if self.observe is None:
            return list(inspect.signature(self.solution).parameters)
        return list(inspect.signature(self.observe).parameters)[1:]


EXERCISES: dict[str, Exercise] = {}


def _add(
    page: str,
    solution: Answer,
    cases: Callable[[], Iterable[Case]],
    misconceptions: Mapping[str, Answer],
    observe: Answer | None = None,
) -> None:
    EXERCISES[solution.__name__] = Exercise(page, solution, cases, misconceptions, observe)


def _case(given: str, *args: Any, **options: Any) -> Case:
    return Case(given, args, options)


def _other_case(given: str, *args: Any, **options: Any) -> Case:
    return Case(given, args, options, telling=False)


def _then(answer: Answer, change: Answer) -> Answer:
    """Return an answer that changes what another one returns."""
    return lambda *args, **options: change(answer(*args, **options))


def _but(answer: Answer, **fixed: Any) -> Answer:
    """Return an answer that takes some arguments to be these, whatever it is given."""

    def stubborn(*args: Any, **options: Any) -> Any:
        given = inspect.signature(answer).bind(*args, **options)
        given.arguments.update(fixed)
        return answer(*given.args, **given.kwargs)

    return stubborn


# -- running and judging ----------------------------------------------------------------------------


class Unfit(Exception):  # noqa: N818  a verdict rather than an error: readers never see it raised
    """What an answer gave cannot be compared; the text says why."""


@dataclass(frozen=True)
class Outcome:
    """What came of one run: a value or an error, and which argument was changed."""

    value: Any = None
    error: Exception | None = None
    changed: str = ""

    def is_like(self, other: "Outcome") -> bool:
        """Return whether two answers did the same."""
        if type(self.error) is not type(other.error) or self.changed != other.changed:
            return False
        if isinstance(self.error, Unfit):
            return str(self.error) == str(other.error)
        return not _difference(self.value, other.value)


def _verdict(exercise: Exercise, answer: Answer | None) -> str:
    """Return what is off, in words; nothing if the answer is right."""
    if answer is None or not callable(answer):
        return f"the answer is {_a(answer)}, not a function"
    wanted = inspect.signature(exercise.solution)
    if not _can_be_called_like(answer, wanted):
        names = ", ".join(
            str(parameter.replace(annotation=parameter.empty)) for parameter in wanted.parameters.values()
        )
        return f"it must take ({names})"
    with _random_state_kept():
        cases = list(exercise.cases())
        for case in cases:
            outcome = _run(exercise, answer, case)
            if fault := _fault(outcome, _run(exercise, exercise.solution, case)):
                words = _misconception(exercise, answer, cases) if case.telling else ""
                fault = f"for {case.given}, {fault}"
                return f"{words}. {fault[0].upper()}{fault[1:]}" if words else fault
    return ""


def _can_be_called_like(answer: Answer, wanted: inspect.Signature) -> bool:
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):  # some functions that are written in C have none
        return True
    needed = [p for p in wanted.parameters.values() if p.default is p.empty]
    try:
        signature.bind(*needed)
        signature.bind(*needed, **{p.name: p.default for p in wanted.parameters.values() if p not in needed})
    except TypeError:
        return False
    return True


def _run(exercise: Exercise, answer: Answer, case: Case) -> Outcome:
    """Run an answer on copies, from one random state."""
    args = [_copy(arg) for arg in case.args]
    _seed()
    value: Any = None
    error: Exception | None = None
    try:
        with torch.enable_grad():
            if exercise.observe is None:
                value = answer(*args, **case.options)
            else:
                value = exercise.observe(answer, *args, **case.options)
    except Exception as caught:  # noqa: BLE001  whatever it is, readers shall be told
        error = caught
    names = zip(exercise.names(), args, case.args, strict=False)
    return Outcome(value, error, next((name for name, now, then in names if not _is_same(now, then)), ""))


def _fault(seen: Outcome, wanted: Outcome) -> str:
    if isinstance(seen.error, Unfit):
        return str(seen.error)
    if seen.error is not None:
        text = str(seen.error).strip().split("\n")[0][:160]
        return f"it raises {type(seen.error).__name__}" + (f": {text.rstrip('.')}" if text else "")
    if seen.changed:
        return f"it changes `{seen.changed}`, which belongs to the caller; work on a copy"
    return _difference(seen.value, wanted.value)


def _misconception(exercise: Exercise, answer: Answer, cases: list[Case]) -> str:
    """Return the words for the wrong answer that does the same in all telling cases; nothing if none does."""
    outcomes = [(case, _run(exercise, answer, case)) for case in cases if case.telling]
    for words, wrong in exercise.misconceptions.items():
        if all(outcome.is_like(_run(exercise, wrong, case)) for case, outcome in outcomes):
            return words
    return ""


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Leave the random numbers of torch, NumPy and Python as they were; all exercises run on the CPU."""
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    try:
        _seed()
        yield
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])


def _seed() -> None:
    torch.default_generator.manual_seed(0)
    random.seed(0)
    np.random.seed(0)


def _copy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, nn.Module):
        return copy.deepcopy(value)
    if isinstance(value, list | tuple):
        return type(value)(_copy(part) for part in value)
    return value


def _is_same(now: Any, then: Any) -> bool:
    if isinstance(then, Tensor):
        return now.shape == then.shape and torch.equal(now, then)
    if isinstance(then, nn.Module):
        return all(_is_same(now.state_dict().get(key), value) for key, value in then.state_dict().items())
    if isinstance(then, list | tuple):
        return len(now) == len(then) and all(map(_is_same, now, then))
    return True


# -- comparing --------------------------------------------------------------------------------------


def _difference(seen: Any, wanted: Any, what: str = "the result") -> str:
    """Return how what was seen differs from what was wanted; nothing if it does not."""
    if seen is None and wanted is not None:
        return f"{what} is None; is there a `return`?"
    if isinstance(wanted, Tensor):
        return _difference_of_tensors(seen, wanted, what)
    if isinstance(wanted, dict):  # observed: its keys say what the values are
        return next((found for key in wanted if (found := _difference(seen[key], wanted[key], key))), "")
    if not _is_of_kind(seen, wanted):
        takes_out = isinstance(seen, Tensor) and seen.numel() == 1 and isinstance(seen.item(), type(wanted))
        advice = "; .item() takes the number out" if takes_out else ""
        return f"{what} is {_a(seen)} where {_a(wanted)} is wanted{advice}"
    if isinstance(wanted, tuple | list):
        return _difference_of_parts(seen, wanted, what)
    if isinstance(wanted, float):
        same = math.isclose(seen, wanted, rel_tol=1e-5, abs_tol=1e-6) or (math.isnan(seen) and math.isnan(wanted))
    else:
        same = seen == wanted
    return "" if same else f"{what} is {_short(seen)}, not {_short(wanted)}"


def _difference_of_parts(seen: Any, wanted: tuple[Any, ...] | list[Any], what: str) -> str:
    if len(seen) != len(wanted):
        return f"{what} holds {len(seen)} values where {len(wanted)} are wanted"
    for i, (part, wanted_part) in enumerate(zip(seen, wanted, strict=True)):
        if found := _difference(part, wanted_part, f"{what.removeprefix('the ')}[{i}]"):
            if all(isinstance(w, int | float) and _is_of_kind(s, w) for s, w in zip(seen, wanted, strict=True)):
                return f"{what} is {_short(seen)}, not {_short(wanted)}"
            return found
    return ""


def _difference_of_tensors(seen: Any, wanted: Tensor, what: str) -> str:
    if not isinstance(seen, Tensor):
        return f"{what} is {_a(seen)} where a tensor is wanted"
    if seen.shape != wanted.shape:
        advice = "; unsqueeze(1) makes a column" if wanted.ndim == 2 and wanted.shape == (*seen.shape, 1) else ""
        return f"{what} has shape {list(seen.shape)}, not {list(wanted.shape)}{advice}"
    if _dtype_matters(seen.dtype, wanted.dtype):
        return f"{what} is {seen.dtype}, not {wanted.dtype}"
    seen = seen.detach().cpu()
    right = torch.isclose(seen.to(wanted.dtype), wanted, **_tolerance(wanted), equal_nan=True)
    if right.all():
        return ""
    if wanted.numel() <= 6:
        return f"{what} is {_short(seen)}, not {_short(wanted)}"
    at = (~right).nonzero()[0].tolist()
    numbers = f"{_short(seen[tuple(at)])}, not {_short(wanted[tuple(at)])}"
    return f"{what} is off in {int((~right).sum())} of {wanted.numel()} values: at {at} it is {numbers}"


def _tolerance(wanted: Tensor) -> dict[str, float]:
    """Return how far values may be off; sums of many float32 are rounded by a share of the largest."""
    if wanted.dtype == torch.float64:
        return {"rtol": 1e-9, "atol": 1e-9}
    largest = wanted.abs().max().item() if wanted.is_floating_point() and wanted.isfinite().all() else 0.0
    return {"rtol": 1e-4, "atol": 1e-6 + 2e-5 * largest}


def _dtype_matters(seen: torch.dtype, wanted: torch.dtype) -> bool:
    """Return whether numbers were lost, or true and false mixed up with numbers."""
    if wanted == torch.float64 or torch.bool in (seen, wanted):
        return seen != wanted
    return seen.is_complex or seen.is_floating_point != wanted.is_floating_point


def _is_of_kind(seen: Any, wanted: Any) -> bool:
    """Return whether a value may stand for another: NumPy's numbers for Python's, an int for a float."""
    if isinstance(wanted, int | float) and not isinstance(wanted, bool):
        return isinstance(seen, Integral if isinstance(wanted, int) else Real) and not isinstance(seen, bool)
    return isinstance(seen, type(wanted))


def _a(value: Any) -> str:
    """Name a value's type, with its article."""
    if value is None:
        return "None"
    kind = value.__name__ if isinstance(value, type) else type(value).__name__
    kind = {"Tensor": "tensor"}.get(kind, kind)
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


def _short(value: Any, digits: int = 6) -> str:
    """Write a value so that it fits into a sentence."""
    if isinstance(value, Tensor) and value.numel() <= 6:
        return _short(value.tolist(), 10 if value.dtype == torch.float64 else 6)
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)}"
    if isinstance(value, float):
        return repr(float(f"{value + 0.0:.{digits}g}"))
    if isinstance(value, list | tuple):
        parts = ", ".join(_short(part, digits) for part in value)
        text = f"[{parts}]" if isinstance(value, list) else f"({parts})"
    else:
        text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _number(value: Any) -> Any:
    """Take the number out of a tensor that holds one, for exercises that accept both."""
    return value.item() if isinstance(value, Tensor) and value.ndim == 0 else value


# -- data, read once: every run gets copies ---------------------------------------------------------


@cache
def _train(digit: int) -> Digits:
    return mnist_sample().train.of(digit)


@cache
def _mean(digit: int) -> Tensor:
    return _train(digit).floats.mean(0)


@cache
def _x_train() -> Tensor:
    return mnist_sample().train.flat


@cache
def _y_train() -> Tensor:
    return mnist_sample().train.is_a(3)


def _some(n: int) -> Tensor:
    """Return n threes and n sevens, float, shape ``[2n, 28, 28]``."""
    return torch.cat([_train(3).floats[:n], _train(7).floats[:n]])


def _dots(*places: tuple[int, int, int]) -> Tensor:
    """Return an empty image with dots of (row, column, ink)."""
    image = torch.zeros(28, 28, dtype=torch.uint8)
    for row, column, ink in places:
        image[row, column] = ink
    return image


# -- seeing/pixels ----------------------------------------------------------------------------------


def bounding_box(image: Tensor) -> tuple[int, int, int, int]:
    rows = (image > 0).any(1).nonzero().flatten().tolist()
    columns = (image > 0).any(0).nonzero().flatten().tolist()
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def _bounding_box_cases() -> Iterator[Case]:
    yield _case("one dot at row 3, column 5", _dots((3, 5, 255)))
    yield _case("a pale dot at row 2, column 20 and a dark one at row 9, column 4", _dots((2, 20, 1), (9, 4, 255)))
    yield _case("an image full of ink", torch.full((28, 28), 255, dtype=torch.uint8))
    for i in range(3):
        yield _other_case(f"training three {i}", _train(3).images[i])
        yield _other_case(f"training seven {i}", _train(7).images[i])


_add(
    "seeing/pixels",
    bounding_box,
    _bounding_box_cases,
    {
        "bottom and right are ends of slices, one further than the last ink": _then(
            bounding_box, lambda box: (box[0], box[1] - 1, box[2], box[3] - 1)
        ),
        "rows and columns are swapped; any(1) asks every row": _then(bounding_box, lambda box: box[2:] + box[:2]),
        "the order is (top, bottom, left, right)": _then(bounding_box, lambda box: box[::2] + box[1::2]),
        "return the ends of slices, not height and width": _then(
            bounding_box, lambda box: (box[0], box[1] - box[0], box[2], box[3] - box[2])
        ),
        "pale pixels are ink too: all above 0 count": lambda image: bounding_box((image > 127) * image),
    },
)


def ink(image: Tensor) -> float:
    return float(image.float().mean() / 255)


def _ink_cases() -> Iterator[Case]:
    yield _case("an image full of ink", torch.full((28, 28), 255, dtype=torch.uint8))
    yield _case("one dot of 51 on an empty image", _dots((3, 5, 51)))
    yield _case("an empty image", _dots())
    yield _other_case("training three 1", _train(3).images[1])


_add(
    "seeing/pixels",
    ink,
    _ink_cases,
    {
        "divide by 255, so that full ink is 1": _then(ink, lambda mean: 255 * mean),
        "divide by 255, the largest value, not by 256": _then(ink, lambda mean: 255 / 256 * mean),
        "that is the sum of the pixels, not their mean": _then(ink, lambda mean: 784 * mean),
        "how dark the pixels are counts, not only how many hold ink": lambda image: ink((image > 0) * 255),
        "take the mean over all pixels, not over those with ink": lambda image: ink(image[image > 0]),
        "0 is empty and 1 is full of ink, not the other way round": _then(ink, lambda mean: 1 - mean),
        "bytes have no mean: image.float() comes first": lambda image: image.mean() / 255,
    },
    lambda answer, image: _number(answer(image)),
)


# -- seeing/baseline --------------------------------------------------------------------------------


def nearest(image: Tensor, distance: Answer) -> int:
    return 3 if distance(image, _mean(3)) < distance(image, _mean(7)) else 7


def _farness(a: Tensor, b: Tensor) -> Tensor:
    return -l1_distance(a, b)


def _nearest_cases() -> Iterator[Case]:
    for digit, name in ((3, "three"), (7, "seven")):
        for i in (0, 7):  # the distances disagree on training three 7
            image = _train(digit).floats[i]
            yield _case(f"training {name} {i} and l1_distance", image, l1_distance)
            yield _case(f"training {name} {i} and rmse_distance", image, rmse_distance)
    yield _case("training three 0 and minus the l1_distance", _train(3).floats[0], _farness)


_add(
    "seeing/baseline",
    nearest,
    _nearest_cases,
    {
        "that is the farther mean: the smaller distance wins": _then(nearest, lambda digit: 10 - digit),
        "it must use `distance`; this is always the L1 distance": _but(nearest, distance=l1_distance),
        "it must use `distance`; this is always the RMSE": _but(nearest, distance=rmse_distance),
        "return the digit, 3 or 7, not whether it is a three": _then(nearest, lambda digit: digit == 3),
        "return the digit, not its distance": lambda i, d: min(d(i, _mean(3)), d(i, _mean(7))),
        "return a number, 3 or 7, not a text": _then(nearest, str),
    },
)


def ink_rule(images: Tensor, threshold: float) -> Tensor:
    return images.mean((1, 2)) > threshold


def _ink_rule_cases() -> Iterator[Case]:
    shades = torch.tensor([0.0, 0.25, 1.0])[:, None, None].expand(3, 28, 28)
    yield _case("images all 0, all 0.25, all 1 and threshold 0.2", shades, 0.2)
    yield _case("images all 0, all 0.25, all 1 and threshold 0.25", shades, 0.25)
    yield _case("20 threes and 20 sevens and threshold 0.13", _some(20), 0.13)


_add(
    "seeing/baseline",
    ink_rule,
    _ink_rule_cases,
    {
        "above means >: a mean equal to the threshold is not above it": lambda i, t: i.mean((1, 2)) >= t,
        "True stands for more ink than the threshold, not for less": lambda i, t: i.mean((1, 2)) < t,
        "that is one mean for the whole stack, not one for each image": lambda i, t: i.mean() > t,
        "that averages over axis 0, the images; average over axes 1 and 2": lambda i, t: i.mean((0, 1)) > t,
        "one axis is left over; average over axes 1 and 2": lambda i, t: i.mean(1) > t,
        "compare the mean of the pixels, not their sum": lambda i, t: i.sum((1, 2)) > t,
        "one axis too many: without keepdim, for a row of N": lambda i, t: ink_rule(i, t)[:, None],
        "return the comparison as it is, True and False": _then(ink_rule, Tensor.float),
        "a comparison of a tensor is a tensor already, no list is needed": _then(ink_rule, Tensor.tolist),
    },
)


# -- seeing/tensors ---------------------------------------------------------------------------------


def read_at(storage: Tensor, offset: int, stride: tuple[int, ...], index: tuple[int, ...]) -> Any:
    return storage[offset + sum(s * i for s, i in zip(stride, index, strict=True))]


def _read_at_cases() -> Iterator[Case]:
    squares, named = torch.arange(200) ** 2, "the squares of 0 to 199"
    yield _case(f"offset 10, stride (28, 1), index (2, 5) in {named}", squares, 10, (28, 1), (2, 5))
    yield _case(f"offset 10, stride (1, 28), index (5, 2) in {named}", squares, 10, (1, 28), (5, 2))
    yield _case(f"offset 3, stride (2,), index (4,) in {named}", squares, 3, (2,), (4,))
    yield _case(f"offset 0, stride (50, 10, 1), index (2, 3, 4) in {named}", squares, 0, (50, 10, 1), (2, 3, 4))
    yield _case("row 5, column 9 of training three 1", _train(3).images[:3].flatten(), 784, (28, 1), (5, 9))


_add(
    "seeing/tensors",
    read_at,
    _read_at_cases,
    {
        "begin to count at `offset`": _but(read_at, offset=0),
        "each index goes with the stride of its own axis": lambda m, o, s, i: read_at(m, o, s[::-1], i),
        "it must use `stride`; 28 and 1 are wrong for a transposed image": lambda m, o, s, i: read_at(
            m, o, (784, 28, 1)[-len(i) :], i
        ),
        "multiply each index by its stride before you add": lambda m, o, s, i: m[o + sum(i)],
        "let it work for any number of axes, not only for two": lambda m, o, s, i: m[o + s[0] * i[0] + s[1] * i[1]],
        "return the number that stands there, not its place": lambda m, o, s, i: read_at(
            torch.arange(len(m)), o, s, i
        ).item(),
    },
    lambda answer, storage, offset, stride, index: _number(answer(storage, offset, stride, index)),
)


# -- seeing/broadcasting ----------------------------------------------------------------------------


def distance_table(images: Tensor, means: Tensor) -> Tensor:
    return (images[:, None] - means).abs().mean((-1, -2))


def _distance_table_cases() -> Iterator[Case]:
    grays = torch.tensor([0.0, 0.5, 1.0])[:, None, None].expand(3, 28, 28)
    half = torch.cat([torch.zeros(14, 28), torch.ones(14, 28)])
    yield _case("three gray images and two half black ones", grays, torch.stack([half, half.T]))
    yield _case("two images and two means", _some(1), torch.stack([_mean(3), _mean(7)]))
    yield _case("12 images and two means", _some(6), torch.stack([_mean(3), _mean(7)]))
    yield _case("12 images and one mean", _some(6), _mean(3)[None])


_add(
    "seeing/broadcasting",
    distance_table,
    _distance_table_cases,
    {
        "each image must meet each mean: images[:, None] makes an axis for that": lambda i, m: (
            (i - m).abs().mean((-1, -2))
        ),
        "rows are images and columns are means: [N, K], not [K, N]": _then(distance_table, Tensor.t),
        "without abs(), differences of both signs cancel": lambda i, m: (i[:, None] - m).mean((-1, -2)),
        "abs() comes before the mean, not after it": lambda i, m: (i[:, None] - m).mean((-1, -2)).abs(),
        "that is the sum over the pixels, not the mean": lambda i, m: 784 * distance_table(i, m),
        "that is the RMSE; absolute differences are asked for": lambda i, m: rmse_distance(i[:, None], m),
        "that squares the differences; abs() is asked for": lambda i, m: rmse_distance(i[:, None], m) ** 2,
        "average over the last two axes, rows and columns": lambda i, m: (i[:, None] - m).abs().mean((1, 2)),
        "one axis is left over: average over rows and columns": lambda i, m: (i[:, None] - m).abs().mean(-1),
    },
)


# -- learning/gradient-descent ----------------------------------------------------------------------


def numerical_gradient(f: Answer, x: Tensor, h: float = 0.001) -> Tensor:
    return _slopes(lambda nudge: (f(x + nudge) - f(x - nudge)) / (2 * h), x, h)


def _slopes(slope: Answer, x: Tensor, h: float) -> Tensor:
    """Return the slope for each element, with a nudge of h for this element alone."""
    return torch.stack([slope(nudge) for nudge in h * torch.eye(len(x), dtype=x.dtype)])


def _cubes(x: Tensor) -> Tensor:
    return (x**3).sum()


def _numerical_gradient_cases() -> Iterator[Case]:
    x = torch.tensor([3.0, 4.0, 10.0], dtype=torch.float64)
    yield _case("(x**3).sum() at [3, 4, 10]", _cubes, x)
    yield _case("(x**3).sum() at [3, 4, 10] with h=0.1", _cubes, x, h=0.1)
    yield _case("x.prod() at [2, 5]", torch.prod, torch.tensor([2.0, 5.0], dtype=torch.float64))


def _exact_gradient(f: Answer, x: Tensor, h: float = 0.001) -> Tensor:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(f(x), x)[0]


_add(
    "learning/gradient-descent",
    numerical_gradient,
    _numerical_gradient_cases,
    {
        "that looks to one side only; f(x + h) - f(x - h) is asked for": lambda f, x, h=0.001: _slopes(
            lambda nudge: (f(x + nudge) - f(x)) / h, x, h
        ),
        "from x - h to x + h it is 2 * h: divide by that": _then(numerical_gradient, lambda slopes: 2 * slopes),
        "a slope is a difference divided by 2 * h": lambda f, x, h=0.001: 2 * h * numerical_gradient(f, x, h),
        "`/ 2 * h` multiplies by h; write `/ (2 * h)`": lambda f, x, h=0.001: h * h * numerical_gradient(f, x, h),
        "one element at a time; that moves all of them together": lambda f, x, h=0.001: torch.full_like(
            x, float(f(x + h) - f(x - h)) / (2 * h)
        ),
        "it must use `h`": _but(numerical_gradient, h=0.001),
        "float32 loses half of the digits; torch.zeros_like(x) has the dtype of x": _then(
            numerical_gradient, Tensor.float
        ),
        "the sign is turned round: f(x + h) comes first": _then(numerical_gradient, Tensor.neg),
        "these are the exact slopes of `backward`; try both sides with `h` instead": _exact_gradient,
    },
)


# -- learning/roller-coaster ------------------------------------------------------------------------


def in_seconds(params: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    a, b, c = params
    return torch.stack([a / std**2, b / std - 2 * a * mean / std**2, a * mean**2 / std**2 - b * mean / std + c])


def _in_seconds_cases() -> Iterator[Case]:
    number, time = torch.tensor, torch.arange(20.0)
    yield _case("params [4, 6, 5], mean 3, std 2", number([4.0, 6.0, 5.0]), number(3.0), number(2.0))
    yield _case("params [4, 6, 5], mean 0, std 1", number([4.0, 6.0, 5.0]), number(0.0), number(1.0))
    yield _case("params [0, 1, 0], mean 10, std 4", number([0.0, 1.0, 0.0]), number(10.0), number(4.0))
    yield _case("params [20, -2, 25] and times 0 to 19", number([20.0, -2.0, 25.0]), time.mean(), time.std())


def _off_by(place: int, term: Answer) -> Answer:
    """Return a conversion in which one parameter has a term too much, a formula of a, b, c, mean and std."""

    def convert(params: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        return in_seconds(params, mean, std) + term(*params, mean, std) * torch.eye(3)[place]

    return convert


_add(
    "learning/roller-coaster",
    in_seconds,
    _in_seconds_cases,
    {
        "that leaves the mean out": _but(in_seconds, mean=0.0),
        "(t - mean)**2 has a middle term, -2 * t * mean": _off_by(1, lambda a, b, c, m, s: 2 * a * m / s**2),
        "the middle term of (t - mean)**2 counts twice": _off_by(1, lambda a, b, c, m, s: a * m / s**2),
        "the middle term of (t - mean)**2 is negative": _off_by(1, lambda a, b, c, m, s: 4 * a * m / s**2),
        "u is squared, and std with it: a / std**2": _off_by(0, lambda a, b, c, m, s: a / s - a / s**2),
        "b * (t - mean) / std has a constant part too": _off_by(2, lambda a, b, c, m, s: b * m / s),
        "the last parameter changes too": _off_by(2, lambda a, b, c, m, s: b * m / s - a * m**2 / s**2),
        "u is (t - mean) / std, not (t + mean) / std": lambda p, m, s: in_seconds(p, -m, s),
        "that is the way back, from seconds to u": lambda p, m, s: in_seconds(p, -m / s, 1 / s),
        "the order is that of params: t*t first, the constant last": _then(in_seconds, lambda p: p.flip(0)),
        "torch.stack makes a tensor of the three": _then(in_seconds, list),
        "torch.stack([...]) makes a tensor of the three": _then(in_seconds, tuple),
    },
)


# -- classifier/linear-model ------------------------------------------------------------------------


def linear_scores(images: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    return images.reshape(-1, 28 * 28) @ weights + bias


def _linear_scores_cases() -> Iterator[Case]:
    ramp, one = torch.arange(784.0).view(784, 1), torch.ones(1)
    dots = torch.stack([_dots((0, 3, 1)), _dots((2, 0, 1))]).float()
    yield _case("two images, each with a dot, weights 0 to 783 and bias 1", dots, ramp, one)
    yield _case("a single image with a dot, weights 0 to 783 and bias 1", dots[0], ramp, one)
    weights = (_mean(3) - _mean(7)).view(784, 1)
    yield _case("five training threes", _train(3).floats[:5], weights, torch.tensor([-1.5]))


_add(
    "classifier/linear-model",
    linear_scores,
    _linear_scores_cases,
    {
        "add the bias": _but(linear_scores, bias=0.0),
        "the scores are a column, [N, 1], not a row of N": _then(linear_scores, lambda scores: scores[:, 0]),
        "a single image counts as N = 1, so its score has shape [1, 1]": lambda i, w, b: (
            linear_scores(i, w, b) if i.ndim == 3 else linear_scores(i, w, b)[0]
        ),
        "a single image has no axis for N; view(-1, 28 * 28) serves both": lambda i, w, b: i.flatten(1) @ w + b,
        "pixels come row by row, without a transpose": lambda i, w, b: linear_scores(i.mT, w, b),
        "return the raw score, without the sigmoid": _then(linear_scores, Tensor.sigmoid),
        "a score is a sum of pixel times weight, not a mean": lambda i, w, b: linear_scores(i, w / 784, b),
    },
)


def mean_weights(mean3: Tensor, mean7: Tensor) -> tuple[Tensor, Tensor]:
    weights = 2 * (mean3 - mean7).view(28 * 28, 1)
    bias = (mean7**2).sum() - (mean3**2).sum()
    return weights, bias.view(1)


def _mean_weights_cases() -> Iterator[Case]:
    dot, two = _dots((0, 0, 1)).float(), _dots((0, 1, 1), (5, 5, 1)).float()
    yield _case("means with one dot and with two (both scaled to weights of length 1)", dot, two)
    yield _case("the mean three and seven (both scaled to weights of length 1)", _mean(3), _mean(7))


def _at_length_one(answer: Answer, mean3: Tensor, mean7: Tensor) -> Any:
    """Divide by the length of the weights: any positive multiple of weights and bias decides alike."""
    result = answer(mean3, mean7)
    if isinstance(result, tuple) and len(result) == 2 and all(isinstance(part, Tensor) for part in result):
        length = result[0].detach().norm()
        return tuple(part.detach() / length for part in result)
    return result


_add(
    "classifier/linear-model",
    mean_weights,
    _mean_weights_cases,
    {
        "that score is positive near mean7: turn its sign round": lambda m3, m7: mean_weights(m7, m3),
        "the bias has the wrong sign: mean7 comes first in it": _then(mean_weights, lambda r: (r[0], -r[1])),
        "the middle term of a square counts twice: 2 * (mean3 - mean7)": _then(
            mean_weights, lambda r: (r[0] / 2, r[1])
        ),
        "a bias of 0 will not do: the sums of the squares differ": _then(mean_weights, lambda r: (r[0], 0 * r[1])),
        "the bias is a sum over the pixels, not a mean": _then(mean_weights, lambda r: (r[0], r[1] / 784)),
        "square the means before you sum them for the bias": lambda m3, m7: (
            (mean_weights(m3, m7)[0], (m7.sum() - m3.sum()).view(1))
        ),
        "the weights are a column, [784, 1]": _then(mean_weights, lambda r: (r[0].flatten(), r[1])),
        "the weights are a column, [784, 1], not an image": _then(mean_weights, lambda r: (r[0].view(28, 28), r[1])),
        "the bias has shape [1]: view(1)": _then(mean_weights, lambda r: (r[0], r[1][0])),
        "weights first, bias second": _then(mean_weights, lambda r: r[::-1]),
    },
    _at_length_one,
)


# -- classifier/loss --------------------------------------------------------------------------------


def train_from_zero(targets: Tensor, steps: int = 20, lr: float = 1.0) -> tuple[Tensor, Tensor]:
    return _train_from(torch.zeros, targets, steps, lr)


def _train_from(
    start: Answer, targets: Tensor, steps: int = 20, lr: float = 1.0, loss: Answer = mnist_loss, clear: bool = True
) -> tuple[Tensor, Tensor]:
    weights, bias = start(28 * 28, 1).requires_grad_(), start(1).requires_grad_()
    for _ in range(steps):
        loss(_x_train() @ weights + bias, targets).backward()
        with torch.no_grad():
            for parameter in (weights, bias):
                parameter -= parameter.grad * lr
                if clear:
                    parameter.grad = None
    return weights.detach(), bias.detach()


def _train_from_zero_cases() -> Iterator[Case]:
    yield _case("steps=0", _y_train(), steps=0)
    yield _case("y_train, steps=1 and lr=0.5", _y_train(), steps=1, lr=0.5)
    yield _case("1 - y_train, steps=2 and lr=0.02", 1 - _y_train(), steps=2, lr=0.02)
    yield _other_case("y_train alone", _y_train())


def _without_sigmoid(preds: Tensor, targets: Tensor) -> Tensor:
    return torch.where(targets == 1, 1 - preds, preds).mean()


_add(
    "classifier/loss",
    train_from_zero,
    _train_from_zero_cases,
    {
        "it climbs: subtract lr * gradient": lambda targets, steps=20, lr=1.0: train_from_zero(targets, steps, -lr),
        "backward adds to .grad: clear it after each step": partial(_train_from, torch.zeros, clear=False),
        "begin at 0, not at random": partial(_train_from, torch.randn),
        "the loss is a mean over the images, not a sum": lambda targets, steps=20, lr=1.0: train_from_zero(
            targets, steps, lr * len(targets)
        ),
        "the loss needs the sigmoid of the scores": partial(_train_from, torch.zeros, loss=_without_sigmoid),
        "it must use `lr`": _but(train_from_zero, lr=1.0),
        "it must use `steps`": _but(train_from_zero, steps=20),
        "it must use `targets`; that trains on y_train whatever is passed": lambda targets, steps=20, lr=1.0: (
            train_from_zero(_y_train(), steps, lr)
        ),
        "the bias must move too": _then(train_from_zero, lambda r: (r[0], 0 * r[1])),
        "weights first, bias second": _then(train_from_zero, lambda r: r[::-1]),
    },
)


def sigmoid_slope(scores: Tensor) -> Tensor:
    p = scores.sigmoid()
    return p * (1 - p)


def _sigmoid_slope_cases() -> Iterator[Case]:
    yield _case("scores [-10, 0, 10]", torch.tensor([-10.0, 0.0, 10.0]))
    yield _case("a column of scores -2, -1, 1, 2", torch.tensor([[-2.0], [-1.0], [1.0], [2.0]]))
    yield _case("scores [-100, 100]", torch.tensor([-100.0, 100.0]))


def _by_backward(scores: Tensor) -> Tensor | None:
    scores.requires_grad_().sigmoid().sum().backward()
    return scores.grad


def _unrecorded(answer: Answer, scores: Tensor) -> Any:
    with torch.no_grad():  # the exercise does without backward
        return answer(scores)


_add(
    "classifier/loss",
    sigmoid_slope,
    _sigmoid_slope_cases,
    {
        "that is the sigmoid itself, not its slope": torch.sigmoid,
        "that is 1 - p; the slope is p times that": lambda scores: 1 - scores.sigmoid(),
        "that is p * p; the slope is p * (1 - p)": lambda scores: scores.sigmoid() ** 2,
        "the sigmoid rises everywhere, so no slope is negative": _then(sigmoid_slope, Tensor.neg),
        "p is the sigmoid of the score, not the score": lambda scores: scores * (1 - scores),
        "each score has a slope; that is their sum": _then(sigmoid_slope, Tensor.sum),
        "each score has a slope; that is their mean": _then(sigmoid_slope, Tensor.mean),
        "exp grows out of all bounds; use p * (1 - p)": lambda scores: (-scores).exp() / (1 + (-scores).exp()) ** 2,
        "exp grows out of bounds; use p * (1 - p)": lambda scores: scores.exp() / (1 + scores.exp()) ** 2,
        "do it without backward: a formula with p = scores.sigmoid() is enough": _by_backward,
    },
    _unrecorded,
)


# -- classifier/mini-batches ------------------------------------------------------------------------


def tensor_batches(x: Tensor, y: Tensor, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    return _batches(x, y, size, _order(len(x), seed))


def _order(n: int, seed: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def _batches(x: Tensor, y: Tensor, size: int, order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for chosen in order.split(size):
        yield x[chosen], y[chosen]


def _tensor_batches_cases() -> Iterator[Case]:
    x, y = torch.arange(20).view(10, 2), 10 * torch.arange(10).view(10, 1)
    yield _case("10 items, size 4, seed 1", x, y, 4, 1)
    yield _case("10 items, size 5, seed 2", x, y, 5, 2)
    yield _case("10 items, size 256, seed 1", x, y, 256, 1)
    yield _case("954 training images, size 256, seed 1", _x_train()[::13], _y_train()[::13], 256, 1)


def _walk(answer: Answer, x: Tensor, y: Tensor, size: int, seed: int) -> dict[str, Any]:
    """Return the batches, and whether torch's own random numbers went on undisturbed."""
    before = torch.get_rng_state()
    batches = answer(x, y, size, seed)
    if not isinstance(batches, Iterator):
        raise Unfit(f"the result is {_a(batches)}, not a generator: `yield` the pairs one by one")
    pairs = list(islice(batches, len(x) + 1))
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise Unfit(f"it yields {_a(pair)}, not a pair (xb, yb)")
    walk: dict[str, Any] = {"the number of batches": len(pairs)}
    for i, (xb, yb) in enumerate(pairs):
        walk |= {f"xb of batch {i}": xb, f"yb of batch {i}": yb}
    return walk | {"torch's own random state being left alone": torch.equal(before, torch.get_rng_state())}


def _by_torch_s_own(x: Tensor, y: Tensor, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    torch.manual_seed(seed)
    yield from _batches(x, y, size, torch.randperm(len(x)))


def _with_two_orders(x: Tensor, y: Tensor, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    chance = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(len(x), generator=chance).split(size) for _ in range(2)]
    return ((x[for_x], y[for_y]) for for_x, for_y in zip(*orders, strict=True))


def _with_repetition(x: Tensor, y: Tensor, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    chance = torch.Generator().manual_seed(seed)
    return _batches(x, y, size, torch.randint(len(x), (len(x),), generator=chance))


_add(
    "classifier/mini-batches",
    tensor_batches,
    _tensor_batches_cases,
    {
        "the order is not random": lambda x, y, size, seed: _batches(x, y, size, torch.arange(len(x))),
        "the last batch counts, although it is smaller": lambda x, y, size, seed: (
            pair for pair in tensor_batches(x, y, size, seed) if len(pair[0]) == size
        ),
        "images and targets come apart: index both with the same positions": lambda x, y, size, seed: zip(
            (xb for xb, _ in tensor_batches(x, y, size, seed)), y.split(size), strict=True
        ),
        "images and targets come apart: draw one order, not two": _with_two_orders,
        "draw from a generator of your own; this reseeds all of torch": _by_torch_s_own,
        "it must use `seed`": lambda x, y, size, seed: _batches(x, y, size, torch.randperm(len(x))),
        "it must use `seed`; that gives one order for all seeds": _but(tensor_batches, seed=0),
        "some items come twice and some never: use randperm": _with_repetition,
        "shuffle the items, not only the batches": lambda x, y, size, seed: (
            (x.split(size)[i], y.split(size)[i]) for i in _order(len(x.split(size)), seed).tolist()
        ),
        "these are positions: index x and y with them": lambda x, y, size, seed: (
            (chosen, chosen) for chosen in _order(len(x), seed).split(size)
        ),
    },
    _walk,
)


# -- classifier/training-loop -----------------------------------------------------------------------


def calc_grad_in_parts(xb: Tensor, yb: Tensor, model: Answer, n_parts: int) -> None:
    for x_part, y_part in zip(xb.chunk(n_parts), yb.chunk(n_parts), strict=True):
        (mnist_loss(model(x_part), y_part) / n_parts).backward()


def _calc_grad_in_parts_cases() -> Iterator[Case]:
    xb, yb = _x_train()[::193][:64], _y_train()[::193][:64]
    yield _case("64 images in 1 part", xb, yb, 1, 0.0)
    yield _case("64 images in 4 parts", xb, yb, 4, 0.0)
    yield _case("64 images in 4 parts, with gradients there before", xb, yb, 4, 0.01)


def _gradients(answer: Answer, xb: Tensor, yb: Tensor, n_parts: int, before: float) -> Any:
    """Return the sizes of the parts that the model saw, and the gradients that were left."""
    weights = ((_mean(3) - _mean(7)).view(784, 1) / 20).requires_grad_()
    bias = torch.zeros(1, requires_grad=True)
    if before:
        weights.grad, bias.grad = torch.full_like(weights, before), torch.full_like(bias, before)
    sizes = []

    def model(images: Tensor) -> Tensor:
        sizes.append(len(images))
        return images @ weights + bias

    answer(xb, yb, model, n_parts)
    if weights.grad is None or bias.grad is None:
        raise Unfit("it leaves no gradients: call backward for each part")
    if sizes != [len(xb) // n_parts] * n_parts:
        parts = f"the sizes of the parts are {_short(sizes)}, not {_short([len(xb) // n_parts] * n_parts)}"
        raise Unfit(parts + ("; chunk(n) makes n parts, split(n) parts of n" if sizes[0] == n_parts else ""))
    return {"weights.grad": weights.grad, "bias.grad": bias.grad}


def _in_parts(scale: Answer, keep: slice = slice(None)) -> Answer:
    """Return a calculation that multiplies the loss of each part by scale(n_parts, size)."""

    def calculate(xb: Tensor, yb: Tensor, model: Answer, n_parts: int) -> None:
        parts = zip(xb.chunk(n_parts), yb.chunk(n_parts), strict=True)
        losses = [mnist_loss(model(x), y) * scale(n_parts, len(x)) for x, y in parts]
        for loss in losses[keep]:
            loss.backward()

    return calculate


_add(
    "classifier/training-loop",
    calc_grad_in_parts,
    _calc_grad_in_parts_cases,
    {
        "the loss of a part is a mean, so the sum is n_parts times too large: divide": _in_parts(lambda n, size: 1),
        "divide by the number of parts, not of images: the loss is a mean already": _in_parts(lambda n, size: 1 / size),
        "divide by n_parts once; that does it twice": _in_parts(lambda n, size: 1 / n**2),
        "only the last part counts: call backward for each": _in_parts(lambda n, size: 1 / n, slice(-1, None)),
        "only the first part counts: call backward for each": _in_parts(lambda n, size: 1 / n, slice(1)),
    },
    _gradients,
)


# -- classifier/optimizer ---------------------------------------------------------------------------


class MomentumSGD:
    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.9) -> None:
        self.params, self.lr, self.momentum = list(params), lr, momentum
        self.velocities = [torch.zeros_like(p) for p in self.params]

    def step(self) -> None:
        for i, p in enumerate(self.params):
            if p.grad is not None:
                self.velocities[i] = self.faster(self.velocities[i], p.grad)
                with torch.no_grad():
                    p -= self.lr * self.velocities[i]

    def faster(self, velocity: Tensor, slope: Tensor) -> Tensor:
        return self.momentum * velocity + slope

    def zero_grad(self) -> None:
        for p in self.params:
            p.grad = None


def _momentum_cases() -> Iterator[Case]:
    zero, five, one = torch.zeros(2), torch.tensor([5.0, -1.0]), torch.ones(2)
    yield _case("slopes of 1, 1, 1 with lr=1", [zero], [[one]] * 3, 1.0)
    yield _case(
        "slopes of 1, 3, -2 with lr=0.1 and momentum=0", [zero], [[one], [3 * one], [-2 * one]], 0.1, momentum=0
    )
    slopes = [[one, -4 * one], [2 * one, one], [one, 3 * five]]
    yield _case("two parameters with lr=0.1 and momentum=0.5", [zero, five], slopes, 0.1, momentum=0.5)


def _positions(answer: Answer, starts: list[Tensor], slopes: list[list[Tensor]], lr: float, **options: float) -> Any:
    """Return where the parameters are after each step."""
    params = [start.clone().requires_grad_() for start in starts]
    opt = answer((p for p in params), lr, **options)  # a generator, as model.parameters() is
    path: dict[str, Tensor] = {}
    for n, step in enumerate(slopes, 1):
        torch.stack([p @ slope for p, slope in zip(params, step, strict=True)]).sum().backward()
        opt.step()
        opt.zero_grad()
        path |= {f"after step {n} params[{i}]": p.detach().clone() for i, p in enumerate(params)}
    return path


def _optimizer(**methods: Answer) -> Answer:
    """Return MomentumSGD with other methods."""
    return type("Optimizer", (MomentumSGD,), methods)


def _shared(opt: MomentumSGD, velocity: Tensor, slope: Tensor) -> Tensor:
    opt.velocities = [opt.momentum * opt.velocities[0] + slope] * len(opt.params)
    return opt.velocities[0]


_add(
    "classifier/optimizer",
    MomentumSGD,
    _momentum_cases,
    {
        "it has no memory: the velocity lasts from step to step": _optimizer(faster=lambda opt, v, g: g),
        "add the whole gradient, without a factor 1 - momentum": _optimizer(
            faster=lambda opt, v, g: opt.momentum * v + (1 - opt.momentum) * g
        ),
        "multiply the velocity by momentum in each step": _optimizer(faster=lambda opt, v, g: v + g),
        "multiply by momentum first, then add the gradient": _optimizer(
            faster=lambda opt, v, g: opt.momentum * (v + g)
        ),
        "it climbs: move by -lr times the velocity": _optimizer(faster=lambda opt, v, g: opt.momentum * v - g),
        "lr counts twice: it belongs to the move alone": _optimizer(
            faster=lambda opt, v, g: opt.momentum * v + opt.lr * g
        ),
        "it must use `momentum`": _optimizer(faster=lambda opt, v, g: 0.9 * v + g),
        "each parameter needs its own velocity": _optimizer(faster=_shared),
        "zero_grad must clear the gradients, since backward adds to them": _optimizer(zero_grad=lambda opt: None),
        "nothing moves: keep list(params), since a generator is walked once only, and change p in place": _optimizer(
            step=lambda opt: None
        ),
    },
    _positions,
)


# -- classifier/learner -----------------------------------------------------------------------------


class RehearsedLearner:
    """Stands in for the Learner of the page; what its epochs will give is known."""

    def __init__(self, rows: list[tuple[float, ...]], known: int) -> None:
        self.values = [list(row) for row in rows[:known]]
        self.rest = rows[known:]
        self.rates: list[float] = []

    def fit(self, n_epochs: int, lr: float) -> None:
        """Note the learning rate, and show the next row; the last one is repeated."""
        for _ in range(n_epochs):
            if len(self.rates) == 200:
                raise Unfit("it goes on and on: stop after max_epochs")
            self.values.append(list(self.rest[min(len(self.rates), len(self.rest) - 1)]))
            self.rates.append(lr)

    def validate(self) -> list[float]:
        """Return the loss and the metrics of the last epoch."""
        return self.values[-1][1:]


def fit_until(learn: Any, goal: float, lr: float, max_epochs: int = 50) -> int:
    return _fit_until(learn, goal, lr, max_epochs)


def _fit_until(
    learn: Any, goal: float, lr: float, max_epochs: int = 50, metric: Answer = lambda rows: rows[-1][-1]
) -> int:
    for n_epochs in range(1, max_epochs + 1):
        learn.fit(1, lr)
        if metric(learn.values) >= goal:
            return n_epochs
    return max_epochs


def _fit_until_cases() -> Iterator[Case]:
    accuracies = (0.5, 0.75, 0.875, 0.95, 0.97)
    rows = [(1.5 - a, 1.4 - a, a) for a in accuracies]
    two_metrics = [(1.5 - a, 1.4 - a, 1.0, a) for a in accuracies]
    yield _case("accuracies 0.5, 0.75, 0.875, 0.95 and goal=0.8", rows, 0, 0.8, 1.0)
    yield _case("accuracies 0.5, 0.75, 0.875, 0.95 and goal=0.875", rows, 0, 0.875, 0.25)
    yield _case("a goal out of reach and max_epochs=4", rows, 0, 0.99, 1.0, max_epochs=4)
    yield _case("a goal out of reach", rows, 0, 0.99, 1.0)
    yield _case("a Learner with two epochs behind it and goal=0.95", rows, 2, 0.95, 1.0)
    yield _case("two metrics and goal=0.875 for the last", two_metrics, 0, 0.875, 1.0)
    yield _case("a goal that the first epoch reaches", rows[3:], 0, 0.9, 1.0)


def _rehearse(
    answer: Answer, rows: list[tuple[float, ...]], known: int, goal: float, lr: float, **options: int
) -> dict[str, Any]:
    """Return the answer and the highest learning rate, if the answer is how many epochs were trained."""
    learn = RehearsedLearner(rows, known)
    n_epochs = answer(learn, goal, lr, **options)
    if isinstance(n_epochs, Integral) and n_epochs != len(learn.rates):
        raise Unfit(f"it returns {n_epochs} after training for {len(learn.rates)} epochs")
    return {"the result": n_epochs, "the learning rate": max(learn.rates, default=0.0)}


def _all_at_once(learn: Any, goal: float, lr: float, max_epochs: int = 50) -> int:
    learn.fit(max_epochs, lr)
    return max_epochs


def _last_metric(learn: Any, goal: float, lr: float, max_epochs: int = 50) -> float:
    fit_until(learn, goal, lr, max_epochs)
    return learn.values[-1][-1]


_add(
    "classifier/learner",
    fit_until,
    _fit_until_cases,
    {
        "a metric equal to the goal has reached it: >=": lambda learn, goal, lr, max_epochs=50: fit_until(
            learn, goal + 1e-9, lr, max_epochs
        ),
        "the metric is the last number of a row; that is the training loss": partial(
            _fit_until, metric=lambda rows: rows[-1][0]
        ),
        "the metric is the last number of a row; that is the validation loss": partial(
            _fit_until, metric=lambda rows: rows[-1][1]
        ),
        "of two metrics the last one counts: row[-1]": partial(_fit_until, metric=lambda rows: rows[-1][2]),
        "look at the last row of values, not at the first": partial(_fit_until, metric=lambda rows: rows[0][-1]),
        "it trains for max_epochs in any case: stop at the goal": _all_at_once,
        "return the number of epochs, not the metric": _last_metric,
        "it must use `lr`": _but(fit_until, lr=1.0),
        "it must use `max_epochs`": _but(fit_until, max_epochs=50),
        "without a given max_epochs it is 50": lambda learn, goal, lr, max_epochs=10: fit_until(
            learn, goal, lr, max_epochs
        ),
    },
    _rehearse,
)


# -- classifier/nonlinearity ------------------------------------------------------------------------


def merge_linear(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    return _linear_of(second.weight @ first.weight, second.weight @ first.bias + second.bias)


def _linear_of(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


def _merge_linear_cases() -> Iterator[Case]:
    first = _linear_of(torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]]), torch.tensor([1.0, -1.0]))
    second = _linear_of(torch.tensor([[2.0, 1.0], [4.0, 0.0]]), torch.tensor([0.5, 7.0]))
    yield _case("layers of 3 to 2 and 2 to 2 numbers", first, second)
    yield _case("layers of 784 to 30 and 30 to 10 numbers", nn.Linear(784, 30), nn.Linear(30, 10))


def _weight_and_bias(answer: Answer, first: nn.Linear, second: nn.Linear) -> Any:
    merged = answer(first, second)
    if not isinstance(merged, nn.Linear):
        raise Unfit(f"the result is {_a(merged)} where an nn.Linear is wanted")
    if merged.bias is None:
        raise Unfit("the layer has no bias")
    return {"the weight": merged.weight.detach().clone(), "the bias": merged.bias.detach().clone()}


def _merge(bias: Answer) -> Answer:
    return lambda first, second: _linear_of(second.weight @ first.weight, bias(first, second))


def _untrained(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    return nn.Linear(first.in_features, second.out_features)


_add(
    "classifier/nonlinearity",
    merge_linear,
    _merge_linear_cases,
    {
        "the first bias passes through the second layer: second.weight @ first.bias": _merge(
            lambda first, second: first.bias[: len(second.bias)] + second.bias
        ),
        "the first bias counts too": _merge(lambda first, second: second.bias),
        "add the second bias at the end": _merge(lambda first, second: second.weight @ first.bias),
        "rows are outputs, so the order turns round: second.weight @ first.weight": lambda first, second: _linear_of(
            first.weight @ second.weight, second.weight @ first.bias + second.bias
        ),
        "copy the numbers into the new layer; its weights are random": _untrained,
    },
    _weight_and_bias,
)


def count_bends(model: nn.Module, a: Tensor, b: Tensor) -> int:
    first, _, _ = model.children()
    return int(((first(a) > 0) != (first(b) > 0)).sum())


def _count_bends_cases() -> Iterator[Case]:
    by_dot = torch.zeros(5, 784)
    by_dot[:, 0] = torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0])
    hidden = _linear_of(by_dot, torch.tensor([-0.25, -0.5, 2.0, -3.0, 0.5]))
    net = nn.Sequential(hidden, nn.ReLU(), nn.Linear(5, 1))
    empty, dot = torch.zeros(784), _dots((0, 0, 1)).float().flatten()
    yield _case("5 hidden numbers of which 3 cross 0", net, empty, dot)
    yield _case("the way from an image to itself", net, dot, dot)
    yield _other_case("training three 0, training seven 0 and a random net", simple_net(), *_some(1).flatten(1))


def _active(combine: Answer) -> Answer:
    """Return a count of the hidden numbers that are above 0 at the two ends, in some combination."""

    def count(model: nn.Module, a: Tensor, b: Tensor) -> int:
        first, _, _ = model.children()
        return int(combine(first(a) > 0, first(b) > 0).sum())

    return count


_add(
    "classifier/nonlinearity",
    count_bends,
    _count_bends_cases,
    {
        "that counts the numbers above 0 at the first end; count changes of sign": _active(lambda at_a, at_b: at_a),
        "that counts the numbers above 0 at the second end; count changes of sign": _active(lambda at_a, at_b: at_b),
        "a ReLU that is above 0 at both ends does not bend": _active(lambda at_a, at_b: at_a & at_b),
        "a ReLU that is above 0 at both ends does not bend: count changes": _active(lambda at_a, at_b: at_a | at_b),
        "that counts those with one sign at both ends; count the others": _active(lambda at_a, at_b: at_a == at_b),
        "not every ReLU bends on the way: its number must cross 0": _active(lambda at_a, at_b: at_a | True),
        "it counts changes of the score; look at the hidden numbers, model[0]": lambda model, a, b: int(
            (model(a) > 0) != (model(b) > 0)
        ),
    },
    lambda answer, model, a, b: _number(answer(model, a, b)),
)


# -- classifier/deeper ------------------------------------------------------------------------------


def convolve(image: Tensor, kernel: Tensor) -> Tensor:
    return functional.conv2d(image[None, None], kernel[None, None])[0, 0]


def _convolve_cases() -> Iterator[Case]:
    ramp = torch.arange(20.0).view(4, 5) ** 2
    yield _case("the squares of 0 to 19 as [4, 5] and the kernel 1 to 9", ramp, torch.arange(1.0, 10.0).view(3, 3))
    yield _case("an image of [3, 3] full of 1 and a kernel full of 2", torch.ones(3, 3), 2 * torch.ones(3, 3))
    kernel = torch.tensor([[-1.0, -1.0, -1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    yield _case("training three 1 and a kernel for upper edges", _train(3).floats[1], kernel)


def _convolve_padded(image: Tensor, kernel: Tensor) -> Tensor:
    return functional.conv2d(image[None, None], kernel[None, None], padding=1)[0, 0]


_add(
    "classifier/deeper",
    convolve,
    _convolve_cases,
    {
        "without padding the border is lost: [H - 2, W - 2]": _convolve_padded,
        "the kernel lies as it is, it is not turned round": lambda image, kernel: convolve(image, kernel.flip(0, 1)),
        "rows of the kernel go with rows of the image": lambda image, kernel: convolve(image, kernel.T),
        "add the nine products up; that takes their mean": lambda image, kernel: convolve(image, kernel) / 9,
        "keep negative numbers: a ReLU comes later": _then(convolve, torch.relu),
        "the result is a table, without axes of length 1": _then(convolve, lambda table: table[None, None]),
    },
)


# -- further/all-ten-digits -------------------------------------------------------------------------


def smooth_cross_entropy(scores: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    return _with_shares(scores, _shares(scores, targets, smoothing))


def _shares(scores: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    k = scores.shape[1]
    return functional.one_hot(targets, k) * (1 - smoothing) + smoothing / k


def _with_shares(scores: Tensor, shares: Tensor) -> Tensor:
    return -(shares * scores.log_softmax(1)).sum(1).mean()


def _smooth_cross_entropy_cases() -> Iterator[Case]:
    scores, targets = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 0.0]]), torch.tensor([0, 2])
    yield _case("scores [[2, 1, 0], [0, 0, 0]], targets [0, 2], smoothing 0.1", scores, targets, 0.1)
    yield _case("scores [[2, 1, 0], [0, 0, 0]], targets [0, 2], smoothing 0", scores, targets, 0.0)
    large = torch.tensor([[1000.0, 0.0], [0.0, 0.0]])
    yield _case("scores [[1000, 0], [0, 0]], targets [0, 1], smoothing 0.5", large, torch.tensor([0, 1]), 0.5)


def _among_the_others(scores: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    k = scores.shape[1]
    hot = functional.one_hot(targets, k)
    return _with_shares(scores, hot * (1 - smoothing) + (1 - hot) * smoothing / (k - 1))


_add(
    "further/all-ten-digits",
    smooth_cross_entropy,
    _smooth_cross_entropy_cases,
    {
        "the right class gets its share too: smoothing / K for each of the K": _among_the_others,
        "take `smoothing` away from the 1 before you share it": lambda scores, targets, s: _with_shares(
            scores, functional.one_hot(targets, scores.shape[1]) + s / scores.shape[1]
        ),
        "each class gets smoothing / K, not all of it": lambda scores, targets, s: _with_shares(
            scores, functional.one_hot(targets, scores.shape[1]) * (1 - s) + s
        ),
        "it must use `smoothing`": _but(smooth_cross_entropy, smoothing=0.0),
        "a loss is minus the log-probability": _then(smooth_cross_entropy, Tensor.neg),
        "take the mean over the images, not the sum": lambda scores, targets, s: (
            len(scores) * smooth_cross_entropy(scores, targets, s)
        ),
        "sum over the classes; only over the images it is a mean": lambda scores, targets, s: (
            smooth_cross_entropy(scores, targets, s) / scores.shape[1]
        ),
        "return one loss, the mean over the images": lambda scores, targets, s: (
            -(_shares(scores, targets, s) * scores.log_softmax(1)).sum(1)
        ),
        "softmax first gives 0, whose log is not finite: log_softmax does both at once": lambda scores, targets, s: (
            -(_shares(scores, targets, s) * scores.softmax(1).log()).sum(1).mean()
        ),
        "exp grows out of all bounds; log_softmax does not": lambda scores, targets, s: (
            -(_shares(scores, targets, s) * (scores.exp() / scores.exp().sum(1, keepdim=True)).log()).sum(1).mean()
        ),
    },
    lambda answer, scores, targets, smoothing: _number(answer(scores, targets, smoothing)),
)


# -- further/beyond-one-machine ---------------------------------------------------------------------


def average_gradients(gradients: Tensor, sizes: Tensor) -> Tensor:
    return sizes / sizes.sum() @ gradients


def _average_gradients_cases() -> Iterator[Case]:
    yield _case("two processes with 3 images and 1", torch.tensor([[4.0, -8.0], [0.0, 16.0]]), torch.tensor([3, 1]))
    three = torch.tensor([[0.0, 1.0, 2.0, 3.0], [5.0, 4.0, -3.0, 1.0], [70.0, 80.0, 90.0, 60.0]])
    yield _case("three processes with 200, 51 and 5 images", three, torch.tensor([200, 51, 5]))
    yield _case("three processes with 128, 127 and 0 images", three, torch.tensor([128, 127, 0]))
    yield _other_case("two processes with 128 images each", three[:2], torch.tensor([128, 128]))


def _weighted(weights: Answer) -> Answer:
    """Return a sum over processes with these weights, made from the sizes of their shares."""
    return lambda gradients, sizes: weights(sizes) @ gradients


_add(
    "further/beyond-one-machine",
    average_gradients,
    _average_gradients_cases,
    {
        "that is the plain mean; each process counts by its images": lambda gradients, sizes: gradients.mean(0),
        "processes with images do not count the same: each counts by its images": _weighted(
            lambda sizes: (sizes > 0) / (sizes > 0).sum()
        ),
        "weight by the images, and divide by how many there are": _weighted(lambda sizes: sizes.float()),
        "divide by all images, not by the number of processes": _weighted(lambda sizes: sizes / len(sizes)),
        "the shares add up to 1 already: a sum, not a mean": _weighted(lambda sizes: sizes / sizes.sum() / len(sizes)),
        "these weights are for a mean; a sum needs sizes / sizes.sum()": _weighted(
            lambda sizes: sizes * len(sizes) / sizes.sum()
        ),
        "each gradient is a mean: weight it by its share, a plain sum is too large": lambda gradients, sizes: (
            gradients.sum(0)
        ),
        "every process counts, not the first alone": lambda gradients, sizes: gradients[0],
        "weighted right, but not added up: one row is wanted": lambda gradients, sizes: (
            (sizes / sizes.sum())[:, None] * gradients
        ),
    },
)

# -- further/speed ----------------------------------------------------------------------------------


def speedup(share: float, factor: float) -> float:
    return 1 / (1 - share + share / factor)


def _speedup_cases() -> Iterator[Case]:
    yield _case("a share of 0.5 and a factor of 2", 0.5, 2.0)
    yield _case("a share of 0.8 and a factor of 4", 0.8, 4.0)
    yield _case("a share of 0.25 and an infinite factor", 0.25, math.inf)
    yield _case("a share of 1 and a factor of 3", 1.0, 3.0)
    yield _other_case("a share of 0 and a factor of 10", 0.0, 10.0)
    yield _other_case("a share of 0.5 and a factor of 0.5, which is slower", 0.5, 0.5)


_add(
    "further/speed",
    speedup,
    _speedup_cases,
    {
        "that is the time that is left; the speedup is the old time divided by it": lambda share, factor: (
            1 - share + share / factor
        ),
        "the rest of the program, 1 - share, still takes its time": lambda share, factor: factor / share,
        "add times, not factors: the part now takes share / factor": lambda share, factor: 1 - share + share * factor,
        "a part that is faster takes less time: share / factor, not share * factor": lambda share, factor: (
            1 / (1 - share + share * factor)
        ),
        "what the part takes now, share / factor, must be added": lambda share, factor: 1 / (1 - share),
        "only the part becomes that much faster, not the whole": lambda share, factor: factor,
        "the part takes share / factor, and the rest 1 - share": lambda share, factor: 1 / (1 - share / factor),
    },
)
