"""Duplicates: found among many rows, whatever their numbers share, and counted exactly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import duplicates
from chainrule.data import duplicates as public
from chainrule.data.duplicates import count_duplicates, duplicate_note, sums_of, sums_of_parts
from chainrule.data.rows import Rows


def test_duplicates():
    x = np.array([[0.0, 1.0], [2.0, 3.0], [2.0, 3.0]])
    assert duplicates(x, np.array([[2.0, 3.0]])) == 2
    assert duplicates(np.array([[-0.0, 1.0]]), x) == 1
    assert duplicates(x, x + 10) == 0
    images = np.zeros((3, 4, 4), np.uint8)
    assert duplicates(images, images) == 3


@pytest.mark.parametrize(("shape", "few"), [((40, 3), False), ((9000, 40), True), ((9000, 5, 6), True)])
def test_parts_of_a_table_have_the_sums_of_their_rows(shape, few):
    table = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    places = np.random.default_rng(1).permutation(shape[0])
    one, other = Rows(table, places[10:]), Rows(table, places[:10])
    for parts in ([one, other], [one, Rows(table[places[:10]])]):
        every, columns = sums_of_parts(parts)
        assert (columns != slice(None)) == few
        for part, sums in zip(parts, every, strict=True):
            assert np.array_equal(sums, sums_of(part, columns))
            assert np.array_equal(sums, sums_of(part.array(), columns))


@pytest.mark.parametrize("dtype", ["f4", "f8", "u1", "i4"])
@pytest.mark.parametrize("middle", ["tells", "is the same", "is the same in a few"])
def test_rows_that_are_alike_in_the_middle_alone_are_no_duplicates(dtype, middle):
    x = np.random.default_rng(0).integers(0, 200, (9000, 150)).astype(dtype)
    if middle != "tells":
        x[: len(x) if middle == "is the same" else 300, 40:110] = 7
    others = np.concatenate([x[8000:], x[:500], x[8000:8100]])
    changed = others.copy()
    changed[::2, 3] += 1  # outside the middle
    assert duplicates(x, others) == 1500
    assert duplicates(others, x) == len(others)
    assert duplicates(changed, x) == len(others) // 2
    assert duplicates(x[:8000], x[8000:]) == 0


def test_the_note_counts():
    assert duplicate_note("test", 1, 1, "training") == "1 of 1 test examples also stands in the training part"
    assert duplicate_note("test", 0, 9, "training") is None


ROWS = st.lists(st.lists(st.sampled_from([0.0, -0.0, 1.0, 1e-300, 0.1]), min_size=3, max_size=3), min_size=1, max_size=30)


@given(ROWS, ROWS, st.sampled_from(["f4", "f8", "f2", "i8", "u1", "?"]))
def test_as_a_loop_over_all_pairs_counts_them(x, others, dtype):
    x, others = np.array(x).astype(dtype), np.array(others).astype(dtype)
    assert public(x, others) == sum(any(np.array_equal(row, other) for other in others) for row in x)


@pytest.mark.parametrize("collide", [False, True])
def test_rows_whose_numbers_are_equal_are_compared(collide):
    random = np.random.default_rng(0)
    x = random.integers(0, 9, (500, 3)).astype(np.float64)
    others = random.integers(0, 9, (400, 3)).astype(np.float64)
    # As if the numbers told nothing: then all rows are compared with all.
    sums, other_sums = (np.zeros(len(rows), np.uint64) if collide else sums_of(rows) for rows in (x, others))
    expected = sum(row.tobytes() in {other.tobytes() for other in others} for row in x)
    assert 0 < expected < 500
    assert count_duplicates(Rows(x), sums, Rows(others), other_sums) == expected


def test_a_row_has_the_same_number_wherever_it_stands():
    x = np.random.default_rng(0).normal(size=(100_000, 5)).astype(np.float32)
    index = np.random.default_rng(1).permutation(100_000)
    assert np.array_equal(sums_of(x)[index], sums_of(Rows(x, index)))
