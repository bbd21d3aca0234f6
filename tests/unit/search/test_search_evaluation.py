"""The measure of search tells right from wrong."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consore.search.evaluation import Cohorts, ndcg


@given(st.lists(st.integers(1, 20), unique=True, max_size=12), st.sets(st.integers(1, 20), min_size=1))
def test_a_gain_is_a_share_of_the_best_and_whole_only_where_all_that_can_is_right(first: list[int], right: set) -> None:
    gain = ndcg(first, right)
    assert 0 <= gain <= 1 + 1e-9
    assert (gain > 1 - 1e-9) == (set(first[: len(right)][:10]) <= right and len(first) >= min(10, len(right)))


def test_a_right_patient_further_down_counts_less() -> None:
    gains = [ndcg([0] * place + [7], {7}) for place in range(10)]
    assert all(one > next_ for one, next_ in pairwise(gains))
    assert ndcg([0] * 10 + [7], {7}) == 0


def test_cohorts_are_pooled_over_questions() -> None:
    cohorts = Cohorts()
    cohorts.add({1, 2, 3, 4}, {1, 2})
    cohorts.add(set(), {5, 6})
    assert (cohorts.precision, cohorts.recall) == (pytest.approx(0.5), pytest.approx(0.5))
