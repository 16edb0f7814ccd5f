"""How often each may ask: a bucket of requests that fills at a steady rate."""

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_REMEMBERED = 10_000


class Rates:
    """Buckets by who asks.

    Args:
        per_s: Requests that a bucket gains each second.
        burst: Requests that it holds at most.
        clock: Seconds, ever growing.
    """

    def __init__(
        self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s, self._burst, self._clock = per_s, float(burst), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, who: str) -> float:
        """Take one request out and return 0, or how long until there is one."""
        now_s = self._clock()
        left, since_s = self._buckets.pop(who, (self._burst, now_s))
        left = min(self._burst, left + (now_s - since_s) * self._per_s)
        taken = left >= 1.0
        self._buckets[who] = (left - 1.0 if taken else left, now_s)
        if len(self._buckets) > _MOST_REMEMBERED:  # the one silent for longest, so likely full
            self._buckets.popitem(last=False)
        return 0.0 if taken else (1.0 - left) / self._per_s
