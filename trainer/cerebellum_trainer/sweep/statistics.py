"""Statistics of few trials: an interval for a rate, and two policies at the same positions."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Of 95 %, as core/statistics.ts has it.
Z = 1.96


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % score interval of a rate, both in 0..1; trials count as independent.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22(158), 1927.
    """
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    scale = 1 + Z**2 / trials
    centre = (rate + Z**2 / (2 * trials)) / scale
    half = Z / scale * math.sqrt((rate * (1 - rate)) / trials + Z**2 / (4 * trials**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar_p(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Two-sided exact probability that two policies which are equally good differ so much in pairs of trials.

    Only pairs that differ count. Source: Q. McNemar, Psychometrika 12(2), 1947; exact by the binomial.
    """
    only_first = sum(a and not b for a, b in zip(first, second, strict=True))
    only_second = sum(b and not a for a, b in zip(first, second, strict=True))
    differing = only_first + only_second
    tail = sum(math.comb(differing, count) for count in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**differing)
