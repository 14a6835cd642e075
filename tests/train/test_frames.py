"""Data frames at the doors of a network: names count, not positions; and what else people hand over in place of arrays."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

import chainrule as cr
from chainrule.errors import ChainruleError, ColumnError, DataError, OptionTypeError, ShapeError

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({"a": RANDOM.normal(size=40), "b": 3 * RANDOM.normal(size=40), "hue": ["red", "blue"] * 20})
FRAME["y"] = 2 * FRAME.a - FRAME.b


@pytest.fixture(scope="module")
def from_table():
    return cr.fit("4-3-1", cr.data.from_dataframe(FRAME, target="y"), epochs=1)


@pytest.fixture(scope="module")
def from_arrays():
    return cr.fit("2-3-1", (FRAME[["a", "b"]], FRAME.y), epochs=1)


def test_another_order_is_put_right_at_every_door(from_table, from_arrays):
    for run, names in ((from_table, ["a", "b", "hue"]), (from_arrays, ["a", "b"])):
        expected = run.predict(FRAME[names])
        turned = FRAME[names[::-1]]
        for given in (turned, {name: list(turned[name]) for name in turned}, cr.data.as_table(turned)):
            assert np.array_equal(run.predict(given), expected)
            assert np.array_equal(run.predictor()(given), expected)
    assert from_arrays.dataset_info.features == ("a", "b")
    assert np.array_equal(from_arrays.predict(FRAME[["a", "b"]].to_numpy()), from_arrays.predict(FRAME[["a", "b"]]))


def test_rows_with_names_are_a_table_and_one_is_an_example(from_table):
    x, rows = FRAME[["a", "b", "hue"]], FRAME[["b", "hue", "a"]].to_dict("records")
    expected = from_table.predict(x)
    assert np.array_equal(from_table.predict(rows), expected)
    assert np.array_equal(from_table.predict(tuple(rows[:2])), expected[:2])
    again = cr.fit("4-3-1", cr.data.from_dataframe(FRAME.to_dict("records"), target="y"), epochs=1)
    assert again.hash == from_table.hash
    why = from_table.why(from_table.encode(x)[3])
    for one in (rows[3], FRAME.iloc[3], x.iloc[3], x.iloc[[3]], FRAME.iloc[[3]]):
        single = one.ndim == 2 if hasattr(one, "ndim") else False
        assert np.array_equal(from_table.predictor()(one), expected[3:4] if single else expected[3])
        for y in (FRAME.y[3], [FRAME.y[3]]):
            assert from_table.explain((one, y)).agrees
            assert from_table.model().cost(one, y) == from_table.model().cost(x.iloc[[3]], [FRAME.y[3]])
        assert np.array_equal(from_table.why(one).values, why.values)
        assert np.array_equal(from_table.why((one, FRAME.y[3])).values, why.values)
        assert np.array_equal(from_table.why(0, baseline=one).baseline, why.x)
        assert not single or np.array_equal(from_table.predict(one), expected[3:4])
    for one in (rows[3], FRAME.iloc[3]):
        with pytest.raises(ShapeError, match=r"(?s)one row of a table.*brackets: \[x\]"):
            from_table.predict(one)
    with pytest.raises(ChainruleError):
        from_table.predict({"a": [[1.0], [2.0, 3.0]], "b": [1.0, 2.0], "hue": ["red", "blue"]})
    with pytest.raises(ShapeError, match="2 examples"):
        from_table.why(x.iloc[:2])
    with pytest.raises(DataError, match="column 'b': the value is missing"):
        from_table.predict([{"a": 1.0, "hue": "red"}, rows[1]])


def test_a_column_with_names_of_rows_is_a_column():
    column = pd.Series(np.arange(20.0), index=[f"car {i}" for i in range(20)], name="power")
    run = cr.fit("1-2-1", (column, 2 * column), epochs=1)
    assert run.predict(column).shape == (20, 1)


def test_an_example_with_its_target_is_one_to_ask_about():
    run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1)
    x = run.data.test.x[0]
    expected = run.why(x).values
    for given in ((x, 1), [x, "upper"], (list(x), 0), x[None], tuple(x), list(x)):
        assert np.array_equal(run.why(given).values, expected)
    with pytest.raises(ChainruleError):
        run.why([[0.1, 0.2, 0.3], [0.3]])


def test_cells_of_frames_are_read_as_those_of_files(tmp_path):
    texts = pd.DataFrame({"a": ["1.234,5", "2", "-", "4,25"] * 8, "b": [1, -999, 3, 4] * 8, "y": np.arange(32) * 1.0})
    told = {"decimal": ",", "thousands": ".", "na_values": ["-", -999], "missing": "mean"}
    texts.to_csv(tmp_path / "t.csv", index=False, sep=";")
    file = cr.data.read_csv(tmp_path / "t.csv", target="y", **told)
    for data in (
        cr.data.from_dataframe(texts, target="y", **told),
        cr.data.from_dataframe(pl.from_pandas(texts), target="y", **told),
    ):
        assert np.array_equal(data.train.x, file.train.x)
    run = cr.fit("2-2-1", file, epochs=1)
    assert np.array_equal(
        run.predict(texts[["a", "b"]]), run.predict(cr.data.as_table(texts, decimal=",", thousands=".", na_values=["-", -999]))
    )
    texts.to_parquet(tmp_path / "t.parquet")
    assert np.array_equal(cr.data.load(tmp_path / "t.parquet", target="y", **told).train.x, file.train.x)
    kept = cr.data.from_dataframe(texts, target="y", decimal=",", categories=["a"], missing="most_frequent")
    assert "a=4,25" in kept.features


def test_what_is_advised_for_a_frame_is_taken():
    frame = pd.DataFrame({"a": ["1,5", "2,5", "3", "4,1", "5"] * 5, "y": np.arange(25.0)})
    with pytest.raises(DataError) as refused:
        cr.data.from_dataframe(frame, target="y")
    assert "decimal=','" in str(refused.value)
    assert cr.data.from_dataframe(frame, target="y", decimal=",", split=None).train.x[:3, 0].tolist() == [1.5, 2.5, 3.0]


def test_a_missing_cell_in_what_is_asked_has_a_remedy_that_is_there(from_table):
    with pytest.raises(DataError) as refused:
        from_table.predict(FRAME.assign(a=None))
    assert "when reading" not in str(refused.value)
    filled = cr.fit("4-3-1", cr.data.from_dataframe(FRAME, target="y", missing="mean"), epochs=1)
    assert np.isfinite(filled.predict(FRAME.assign(a=None))).all()


def test_columns_that_are_missing_or_unknown_are_refused(from_table, from_arrays):
    for run, names in ((from_table, ["a", "b", "hue"]), (from_arrays, ["a", "b"])):
        for ask in (run.predict, run.predictor()):
            with pytest.raises(ColumnError, match="has no column 'b'"):
                ask(FRAME[[name for name in names if name != "b"]])
            with pytest.raises(ColumnError, match="'c', which the training did not know"):
                ask(FRAME[names].assign(c=1))
    # What the table of the training held beside its inputs may stand there again.
    assert len(from_table.predict(FRAME)) == 40
    with pytest.raises(ColumnError, match="'hue', 'y', which the training did not know"):
        from_arrays.predict(FRAME)


def test_columns_that_were_left_out_are_known():
    run = cr.fit("1-2-1", cr.data.from_dataframe(FRAME.assign(who=range(40)), target="y", drop=["b", "hue", "who"]), epochs=0)
    assert run.dataset_info.columns.others == ("b", "hue", "who")
    assert len(run.predict(FRAME)) == 40


def test_gaps_and_texts_in_frames_are_refused(from_table, from_arrays):
    with pytest.raises(DataError, match="row 3, column 'a': the value is missing"):
        from_table.predict(FRAME.assign(a=FRAME.a.where(FRAME.index != 3)))
    with pytest.raises(DataError, match="x is nan at example 3, feature 'a'"):
        from_arrays.predict(FRAME[["a", "b"]].assign(a=FRAME.a.where(FRAME.index != 3)))
    with pytest.raises(DataError, match="row 0, column 'b': 'tall' is not a number"):
        from_arrays.predict({"a": [1.0], "b": ["tall"]})


def test_parts_that_stand_apart_are_put_in_order():
    data = cr.data.from_arrays(FRAME[["a", "b"]], FRAME.y, test=(FRAME[["b", "a"]], FRAME.y))
    assert np.array_equal(data.train.x, data.test.x)
    with pytest.raises(ColumnError, match="the columns 'a', 'b', in any order"):
        cr.data.from_arrays(FRAME[["a", "b"]], FRAME.y, test=(FRAME[["b", "y"]], FRAME.y))


MASKED = np.ma.array([[1.0, 1e20], [2.0, 3.0]], mask=[[False, True], [False, False]])


def test_masked_values_are_never_numbers(from_arrays):
    for ask in (from_arrays.predict, from_arrays.predictor(), lambda x: cr.data.from_arrays(x, [0.0, 1.0])):
        with pytest.raises(DataError, match="1 of 4 values of x is masked, the first at example 0"):
            ask(MASKED)
    with pytest.raises(DataError, match="1 of 2 values of y is masked"):
        cr.data.from_arrays(MASKED.data, np.ma.array([0.0, 1.0], mask=[False, True]))
    assert len(from_arrays.predict(np.ma.array(MASKED.data))) == 2


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (FRAME, OptionTypeError, r"from_dataframe\(frame, target='...'\)"),
        ({"a": [1.0, 2.0], "b": [1.0, 2.0]}, OptionTypeError, r"from_dataframe\(frame, target='...'\)"),
        ({"data": [[1.0]], "target": [1.0], "DESCR": ""}, OptionTypeError, r"bunch\['data'\], bunch\['target'\]"),
        (np.ones((3, 2)), OptionTypeError, r"write \(x, y\)"),
        ([np.ones((3, 2)), np.ones(3)], OptionTypeError, r"write \(x, y\)"),
        (scipy.sparse.eye_array(3), OptionTypeError, r"write \(x.toarray\(\), y\)"),
        ((np.ones((6, 2)), np.array([0.0, 1, 2, 0, 1, 2])), ShapeError, r"if they are classes, write y.astype\(int\)"),
    ],
)
def test_what_is_handed_over_in_place_of_data(data, error, message):
    with pytest.raises(error, match=message):
        cr.fit("2-3-3", data, epochs=0)


def test_what_has_a_natural_meaning(tmp_path: Path):
    x, y = FRAME[["a", "b"]].to_numpy(), FRAME.y.to_numpy()
    np.savez(tmp_path / "made.npz", x=x, y=y)
    runs = [
        cr.fit("2-2-1", data, epochs=0)
        for data in ((x, y), {"x": x, "y": y}, tmp_path / "made.npz", str(tmp_path / "made.npz"))
    ]
    assert {run.dataset_info.hash for run in runs} == {runs[0].dataset_info.hash}
    (tmp_path / "made.csv").write_text("a,y\n1,2\n")
    with pytest.raises(ColumnError, match=r"cr.data.load\('.*made.csv', target=...\)"):
        cr.fit("1-1", tmp_path / "made.csv")


@pytest.mark.parametrize(
    "x",
    [
        np.arange(20.0), [[Decimal(n) / 4, n] for n in range(20)], [[Fraction(n, 3)] for n in range(20)],
        np.array([[n, 0.5 * n] for n in range(20)], object), {"a": np.arange(20) % 2 == 0},
        {"a": [n % 3 == 0 for n in range(20)], "b": range(20)},
        pd.DataFrame({"a": np.arange(20) % 2 == 0, "b": np.arange(20.0)}),
        pd.DataFrame({"a": pd.array([True, False] * 10, dtype="boolean"), "b": pd.array(range(20), dtype="Int64")}),
        pl.DataFrame({"a": [True, False] * 10, "b": np.arange(20.0)}), np.arange(20) % 2 == 0,
    ],
    ids=["numbers", "decimals", "fractions", "objects", "truth", "truth in a list", "truth in pandas", "nullable", "polars", "truths"],
)  # fmt: skip
def test_what_fit_takes_predict_takes(x):
    numbers = cr.data.from_arrays(x, np.arange(20.0), split=None)
    run = cr.fit(cr.Sequential(cr.Dense(1)), numbers, epochs=1, engine="reference")
    np.testing.assert_array_equal(run.predict(x), run.predict(numbers.train.x))


def test_no_examples_are_no_examples_wherever_they_are_given():
    model = cr.fit("2-3-2 tanh softmax", "moons", epochs=1, engine="reference").model()
    none, labels = np.zeros((0, 2)), np.zeros(0, int)
    for ask in (
        lambda: model.quantities(none), lambda: model.decide(none), lambda: model.quantities_from("dense1.a", np.zeros((0, 3))),
        lambda: model.cost(none, labels), lambda: model.gradient(none, labels), lambda: model.ablated("dense1.a", 1, 0.0).quantities(none),
    ):  # fmt: skip
        with pytest.raises(cr.errors.DataError, match="no examples"):
            ask()
