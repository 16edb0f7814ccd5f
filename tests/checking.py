"""Shape and type checking of every annotated function while testing, at a price that loops can pay.

A function's first calls in each test are checked, which is every call in most tests. What a search
calls ten thousand times costs no more than that; checking all of it took a quarter of the time.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

from beartype import beartype

CALLS = 100
_calls: Counter[Callable[..., Any]] = Counter()


def beartyped(signature: Callable[..., Any]) -> Callable[..., Any]:
    """Return what checks a function's first calls in a test, for jaxtyping's import hook.

    The hook hands over a function that has the signature to be checked and does nothing itself.
    """
    checked = beartype(signature)

    def check(*args: object, **kwargs: object) -> None:
        if _calls[check] < CALLS:
            _calls[check] += 1
            checked(*args, **kwargs)

    return check


def start_anew() -> None:
    """Begin another test: each function's next calls are its first."""
    _calls.clear()
