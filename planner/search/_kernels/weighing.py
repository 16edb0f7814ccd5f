"""The best weighted mean of several bounds over a box.

Each row of ``rows`` is linear over the box: value at its centre (column 4) and slopes (0 to 3).
Rows ``0:count`` each bound the slack from above; rows ``count:total`` are rules, never negative
for a path. So for weights w >= 0 that add up to 1 and multipliers m >= 0

    slack <= sum w_i bound_i(x) + sum m_j rule_j(x),

and over a box of half-widths h the right side is at most its value at the centre plus
``sum_k h_k |slope_k|``. Opposing walls cancel each other's slopes: that is what makes the bound
close quadratically where a single distance closes linearly. Weights are found by exact line
searches along one row at a time; any weights give a bound, so nothing depends on them being best.
"""

import numba

from geometry._kernels import FAR, OPTIONS

SWEEPS = 6
GAIN_MM = 1e-6
LARGEST = 1e4  # multiplier of a rule: beyond it rounding would have its say


@numba.njit(**OPTIONS)
def _spread(slopes, h):
    return (
        abs(slopes[0]) * h[0]
        + abs(slopes[1]) * h[1]
        + abs(slopes[2]) * h[2]
        + abs(slopes[3]) * h[3]
    )


@numba.njit(**OPTIONS)
def _towards(own, rest, row, h, most, scratch):
    """Minimise a bound over a share or a multiplier s in [0, most]; return s and the bound.

    Of ``(1 - s) own + s row + rest``; of ``own + s row + rest`` where ``most`` is FAR. It is
    convex and piecewise linear in s: the least lies at a kink.
    """
    mean = most < FAR
    best_s, best = 0.0, own[4] + rest[4]
    for k in range(4):
        scratch[k] = own[k] + rest[k]
    best += _spread(scratch, h)
    for kink in range(5):
        if kink == 4:
            if not mean:
                break
            s = 1.0
        else:
            change = row[kink] - own[kink] if mean else row[kink]
            if change == 0.0:
                continue
            s = -(own[kink] + rest[kink]) / change
            if s <= 0.0 or s >= min(most, LARGEST):
                continue
        value = rest[4] + (own[4] + s * (row[4] - own[4]) if mean else own[4] + s * row[4])
        for k in range(4):
            change = row[k] - own[k] if mean else row[k]
            scratch[k] = own[k] + rest[k] + s * change
        value += _spread(scratch, h)
        if value < best:
            best, best_s = value, s
    return best_s, best


@numba.njit(**OPTIONS)
def weigh(rows, count, total, h, enough, weights, sums):
    """Fill ``weights`` (total,) and return the bound; ``sums`` (4, 5) is scratch.

    Weighs no further once the bound is down to ``enough``.

    ``sums[0]``: weighted mean of the bounds; ``sums[1]``: sum of the rules; both afterwards as
    they were weighed, so that callers see the slopes that are left.
    """
    mean, rules, without, scratch = sums[0], sums[1], sums[2], sums[3]
    best, first = FAR, 0
    for i in range(count):
        value = rows[i, 4] + _spread(rows[i], h)
        if value < best:
            best, first = value, i
    for i in range(total):
        weights[i] = 0.0
    weights[first] = 1.0
    for k in range(5):
        mean[k] = rows[first, k]
        rules[k] = 0.0
    for _ in range(SWEEPS):
        before = best
        for j in range(total):
            if j < count:
                s, value = _towards(mean, rules, rows[j], h, 1.0, scratch)
                if value >= best - 1e-12:
                    continue
                for i in range(count):
                    weights[i] *= 1.0 - s
                weights[j] += s
                for k in range(5):
                    mean[k] += s * (rows[j, k] - mean[k])
            else:
                for k in range(5):
                    without[k] = rules[k] - weights[j] * rows[j, k]
                s, value = _towards(without, mean, rows[j], h, FAR, scratch)
                if value >= best - 1e-12:
                    continue
                weights[j] = s
                for k in range(5):
                    rules[k] = without[k] + s * rows[j, k]
            best = value
            if best <= enough:
                return best
        if before - best < GAIN_MM:
            break
    return best
