"""Tables: the form of CSV files, kinds of columns, missing cells, targets, data frames, and new tables for old networks."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas_judge import read_by_pandas

from chainrule.data import (
    Column,
    Columns,
    Dataset,
    GroupSplit,
    RandomSplit,
    TimeSplit,
    as_table,
    from_dataframe,
    from_table,
    read_csv,
    read_table,
)
from chainrule.errors import (
    ChainruleError,
    ColumnError,
    DataError,
    FileFormatError,
    MissingFileError,
    OptionError,
    OptionTypeError,
)

ALL = RandomSplit(test=0)
PLANTS = "height,soil,kind\n" + "".join(
    f"{h},{s},{k}\n"
    for h, s, k in zip(
        [1.5, 2, 0.5, 3, 1, 2.5], ["wet", "dry", "wet", "dry", "sand", "sand"], ["fern", "moss"] * 3, strict=True
    )
)


@pytest.fixture
def write(tmp_path):
    def _write(text, encoding="utf-8"):
        path = tmp_path / "plants.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return _write


# The form of the file


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_line_ends_and_byte_order_mark(write, delimiter, line_end, encoding):
    data = read_csv(write(PLANTS.replace(",", delimiter).replace("\n", line_end), encoding), target="kind", split=ALL)
    assert data.features == ("height", "soil=dry", "soil=sand", "soil=wet")
    assert data.classes == ("fern", "moss")
    assert data.train.x.tolist()[:2] == [[1.5, 0, 0, 1], [2, 1, 0, 0]]
    assert data.train.y.tolist() == [0, 1] * 3
    assert data.name == "plants"


def test_quotes_blank_lines_and_spaces(write):
    table = read_table(write('"a, b", c\n\n 1 , "x\ny"\n\n2,"say ""hi"""\n'))
    assert table.columns["a, b"].tolist() == [1, 2]
    assert table.columns["c"] == ("x\ny", 'say "hi"')
    assert table.rows.tolist() == [3, 6]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no content"),
        ("a,b\n", "has a header and no rows"),
        ("a,b\n1,2\n3\n", "line 3 has 1 cells, and the header has 2"),
        ('a,b\n"1\n1",2\n3,4,5\n', "line 4 has 3 cells"),
        ("a,a\n1,2\n", "line 1, the header: two columns are named 'a'"),
        ("a,\n1,2\n", "column 2 has no name"),
        ("1,2\n3,4\n", r"it holds only numbers \('1', '2'\): the names seem to be missing"),
        ('a,b\n1,"2\n', "line 2: unexpected end of data"),
        ('a,b\n1,"2"x\n', "line 2: "),
        ("a,b\n1," + "x" * 140_000, r"line 2: field larger than field limit(.|\n)*at most 131072 characters"),
        ("a,b\n" + "x" * 5_000_000, "line 2 has 5000000 characters"),
        ("a," * 100_001, "it has 100002 columns"),
        (b"a,b\n1,\xff\n", r"byte 6 \(0xff\) is not part of a UTF-8 text"),
        (b"\xff\xfea\0,\0b\0", "has a header and no rows"),
        (b"\xff\xfea\0,\0b", r"byte 6 \(0x62\) is not part of a UTF-16 text"),
    ],
)
def test_form_refusals(write, text, message):
    with pytest.raises(FileFormatError, match=message):
        read_table(write(text))


def test_bounds(write):
    path = write(PLANTS)
    with pytest.raises(FileFormatError, match=f"holds {len(PLANTS)} bytes"):
        read_table(path, max_bytes=20)
    with pytest.raises(FileFormatError, match="more than 5 rows"):
        read_table(path, max_rows=5)
    assert len(read_table(path, max_rows=6)) == 6
    with pytest.raises(MissingFileError):
        read_csv("no.csv", target="a")


# Columns


def test_missing_column_has_a_suggestion(write):
    with pytest.raises(
        ColumnError, match=r"has no column 'hieght'; it has 'height', 'soil', 'kind'(.|\n)*did you mean 'height'"
    ):
        read_csv(write(PLANTS), target="hieght")
    with pytest.raises(LookupError):
        read_csv(write(PLANTS), target="kind", drop=["salt"])
    with pytest.raises(ColumnError):
        read_csv(write(PLANTS), target="kind", categories=["salt"])
    with pytest.raises(ColumnError):
        read_csv(write(PLANTS), target="kind", split=GroupSplit("salt"))


def frame(count=20, **columns):
    return {"x": np.arange(count) * 1.5, "y": np.arange(count) + 0.5} | columns


def test_numbers_read_as_categories_on_request():
    data = from_dataframe(frame(zone=[2, 10] * 10), target="y", categories=["zone"], split=ALL)
    assert data.features == ("x", "zone=10", "zone=2")
    assert from_dataframe(frame(zone=[2, 10] * 10), target="y").features == ("x", "zone")


def test_a_typo_in_a_column_of_numbers():
    columns = frame(size=["1.5"] * 18 + ["l.5", "2"])
    with pytest.raises(DataError, match=r"row 18, column 'size': 'l.5' is not a number(.|\n)*categories=\('size',\)"):
        from_dataframe(columns, target="y")
    assert "size=l.5" in from_dataframe(columns, target="y", categories=["size"]).features


def test_decimal_commas(write):
    with pytest.raises(DataError, match=r"line 2, column 'b': '1,5' is not a number, one of 3 such cells(.|\n)*decimal=','"):
        read_csv(write("a;b;y\n1;1,5;2\n2;2,5;3\n3;1,5;2\n4;1;2\n"), target="y")


@pytest.mark.parametrize("text", ["1_000", "0x10", "١٢", "1.5.2", "1e", "--1"])
def test_texts_that_are_no_numbers(text):
    assert as_table({"a": [text]}).columns["a"] == (text,)
    data = from_dataframe(frame(size=[text, "7"] * 10), target="y")
    assert f"size={text}" in data.features


def test_identifiers_are_refused_or_noted():
    with pytest.raises(DataError, match=r"column 'name' of dict in memory holds 20 texts that are all different, such as 'p0'"):
        from_dataframe(frame(name=[f"p{k}" for k in range(20)]), target="y")
    assert from_dataframe(frame(name=[f"p{k}" for k in range(20)]), target="y", drop=["name"]).features == ("x",)
    noted = from_dataframe(frame(number=np.arange(20)), target="y")
    assert noted.notes == ("column 'number' counts the rows: if it is an identifier, leave it out with drop=('number',)",)


def test_constant_columns():
    data = from_dataframe(frame(country=["DE"] * 20, level=[3] * 20), target="y")
    assert data.features == ("x", "level")
    assert data.notes == ("column 'country' holds only 'DE' and was left out", "column 'level' is 3 in every row")
    assert data.scaling.factor[1] == 1
    with pytest.raises(DataError, match="no column of dict in memory is left as a feature; column 'c' holds only 'k'"):
        from_dataframe({"c": ["k"] * 20, "y": np.arange(20.0)}, target="y")


def test_infinite_cells_are_named():
    with pytest.raises(DataError, match="row 3, column 'x': the value is inf"):
        from_dataframe({"x": [1, 2, 3, np.inf, 5], "y": [1.0, 2, 3, 4, 5]}, target="y")
    with pytest.raises(DataError, match="row 1, column 'y': the target is -inf"):
        from_dataframe({"x": [1, 2, 3], "y": ["1.5", "-inf", "2"]}, target="y")
    with pytest.raises(DataError, match="row 1, column 'x': the value is inf"):
        from_dataframe({"x": [1, np.inf, np.inf], "y": [1.5, 2, 3]}, target="y", missing="mean")


def test_a_table_too_wide_to_encode():
    count = 30_000
    with pytest.raises(DataError, match=r"30000 rows × 30001 features would take 7200240000 bytes; column 'name'"):
        from_dataframe(frame(count, name=[f"p{k}" for k in range(count)]), target="y", categories=["name"])


# The target


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (["a", "b"] * 10, "classification"),
        ([True, False] * 10, "classification"),
        ([1, 2, 3, 4] * 5, "classification"),
        (list(range(10)) * 2, "classification"),
        ([1.0, 2.0] * 10, "regression"),
        (list(range(20)), "regression"),
        ([k // 2 for k in range(20)], "classification"),
        (["1", "2"] * 10, "classification"),
        (["1.0", "2.0"] * 10, "regression"),
    ],
)
def test_kind_of_target(y, task):
    assert from_dataframe({"x": np.arange(20.0), "y": y}, target="y", split=ALL).task == task


def test_twenty_whole_numbers_are_classes_and_twenty_one_are_not():
    for distinct, task in ((20, "classification"), (21, "regression")):
        data = from_dataframe({"x": np.arange(105.0), "y": np.arange(105) % distinct}, target="y")
        assert data.task == task
        assert any("read as classes" in note for note in data.notes) == (task == "classification")


def test_task_overrides():
    columns = {"x": np.arange(20.0), "y": [3, 10] * 10}
    assert from_dataframe(columns, target="y").classes == ("3", "10")
    assert from_dataframe(columns, target="y", task="regression").train.y.dtype == np.float64
    as_category = from_dataframe(columns, target="y", categories=["y"])
    assert as_category.classes == ("10", "3")
    assert as_category.columns.target == Column("y", "category", ("10", "3"))
    with pytest.raises(DataError, match="row 1, column 'y': 'b' is not a number"):
        from_dataframe({"x": [1, 2], "y": ["1", "b"]}, target="y", task="regression")


def test_missing_target():
    columns = frame() | {"y": [None, *range(19)]}
    for rule in ("refuse", "mean", "most_frequent"):
        with pytest.raises(DataError, match="row 0, column 'y': the target is missing"):
            from_dataframe(columns, target="y", missing=rule)
    assert len(from_dataframe(columns, target="y", missing="drop", split=ALL).train) == 19


# Missing cells


@pytest.mark.parametrize("cell", ["", "NA", "nan", "?", " n/a ", "NULL"])
def test_missing_cells_are_refused_with_their_place(write, cell):
    path = write(f"a,b,y\n1,u,1.5\n2,{cell},2\n3,u,1\n4,w,2\n5,u,1\n")
    with pytest.raises(DataError, match=r"line 3, column 'b': the value is missing(.|\n)*missing='drop'"):
        read_csv(path, target="y")
    assert len(read_csv(path, target="y", missing="drop", split=ALL).train) == 4
    assert read_csv(path, target="y", missing="mean", split=ALL).train.x[1].tolist() == [2, 1, 0]


def test_fills_are_learned_from_the_training_part_only():
    x = np.arange(20.0)
    x[[2, 5]] = np.nan
    soil = np.array(["wet", "dry", "dry", "sand"] * 5, object)
    soil[0] = None
    columns = {"x": x, "soil": soil, "y": np.linspace(0, 1, 20)}
    data = from_dataframe(columns, target="y", missing="mean", split=TimeSplit(np.arange(20), test=0.5))
    assert data.columns.features[0].fill == np.nanmean(x[:10])
    assert data.train.x[2, 0] == np.nanmean(x[:10])
    assert data.columns.features[1].fill == "dry"
    frequent = from_dataframe(columns | {"x": [1, 1, 7, np.nan] * 5}, target="y", missing="most_frequent")
    assert frequent.columns.features[0].fill == 1
    with pytest.raises(DataError, match="column 'x' has no value in the training part"):
        from_dataframe(
            columns | {"x": [np.nan] * 10 + [1.0] * 10}, target="y", missing="mean", split=TimeSplit(np.arange(20), 0.5)
        )
    with pytest.raises(DataError, match="column 'x' of dict in memory holds no value at all"):
        from_dataframe(columns | {"x": [np.nan] * 20}, target="y", missing="mean")
    with pytest.raises(DataError, match="each of the 20 rows of dict in memory misses a value"):
        from_dataframe(columns | {"x": [np.nan] * 20}, target="y", missing="drop")


def test_new_tables_are_filled_alike():
    data = from_dataframe(frame(), target="y", missing="mean", split=ALL)
    assert data.columns.encode(as_table({"x": [None, 3.0]})).tolist() == [[14.25], [3.0]]


# Splits by column


def test_split_columns_are_no_features():
    groups = from_dataframe(frame(who=["a", "b", "c", "d"] * 5), target="y", split=GroupSplit("who", test=0.25))
    assert groups.features == ("x",)
    assert len({(row[0] / 1.5) % 4 for row in groups.test.x.tolist()}) == 1
    days = [f"2024-01-{day:02}" for day in range(20, 0, -1)]
    times = from_dataframe(frame(day=days), target="y", split=TimeSplit("day", test=0.1))
    assert times.test.x[:, 0].tolist() == [1.5, 0.0]
    with pytest.raises(DataError, match="row 0, column 'day': the value is missing"):
        from_dataframe(frame(day=[None, *days[1:]]), target="y", split=TimeSplit("day"))
    dropped = from_dataframe(frame(day=[None, *days[1:]]), target="y", split=TimeSplit("day"), missing="drop")
    assert len(dropped.train) + len(dropped.test) == 19


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"missing": "guess"}, OptionError, "missing='guess'"),
        ({"drop": ["y"]}, OptionError, "no second role"),
        ({"split": GroupSplit("y")}, OptionError, "no second role"),
        ({"drop": ["x"], "split": GroupSplit("x")}, OptionError, "no second role"),
        ({"drop": "x"}, OptionTypeError, r"write drop=\['x'\]"),
        ({"drop": ["x"]}, DataError, "no column of dict in memory is left"),
        ({"missin": "drop"}, OptionError, "there is no option 'missin'(.|\n)*did you mean 'missing'"),
    ],
)
def test_options_that_make_no_sense(options, error, message):
    with pytest.raises(error, match=message):
        from_dataframe(frame(), target="y", **options)


# Data frames


def test_pandas():
    table = pd.DataFrame(
        {
            "size": pd.array([1, None, 3, 4, 5, 6], "Int64"),
            "mass": np.array([1, 2, 3, 4, 5, 6], np.float32),
            "kind": pd.Categorical(["u", "v", "u", "v", "u", None]),
            "flag": [True, False, True, True, False, True],
            "day": pd.date_range("2024-01-01", periods=6),
            "text": pd.Series(["k", "l", "k", pd.NA, "k", "l"], dtype="string"),
            "count": np.arange(6, dtype=np.uint64),
            "y": [0.5, 1, 1.5, 2, 2.5, 3],
        }
    )
    data = from_dataframe(table, target="y", split=TimeSplit("day", test=0.2), missing="most_frequent")
    assert data.features == ("size", "mass", "kind=u", "kind=v", "flag=False", "flag=True", "text=k", "text=l", "count")
    assert data.train.x[1].tolist() == [1, 2, 0, 1, 1, 0, 0, 1, 1]
    assert data.test.x[0].tolist() == [6, 6, 1, 0, 0, 1, 0, 1, 5]
    assert data.source == "DataFrame in memory"


def test_pandas_with_columns_that_are_not_texts():
    assert from_dataframe(pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3))), target="2").features == ("0", "1")
    twins = pd.DataFrame(np.ones((4, 2)), columns=["a", "a"])
    with pytest.raises(DataError, match="a different name for each column"):
        from_dataframe(twins, target="a")


def test_csv_and_pandas_agree(write):
    path = write(PLANTS)
    ours, theirs = read_csv(path, target="kind"), from_dataframe(read_by_pandas(path), target="kind")
    assert ours.hash == theirs.hash
    assert ours.columns == theirs.columns
    assert ours.scaling == theirs.scaling


class Polarlike:
    """What polars and others share with pandas."""

    columns = ["x", "y"]  # noqa: RUF012

    def __getitem__(self, name):
        return pd.Series({"x": [1.0, 2, 3, 4, 5], "y": [2.0, 4, 6, 8, 10]}[name])


def test_other_frames():
    assert repr(from_dataframe(Polarlike(), target="y")).startswith("Dataset('frame': 4 train, 1 test")


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ([[1, 2]], OptionTypeError, "the frame is a list"),
        (None, OptionTypeError, "the frame is a NoneType"),
        ({}, DataError, r"have the lengths \[\]"),
        ({"a": [1], "y": [1, 2]}, DataError, r"have the lengths \[1, 2\]"),
        ({"a": [], "y": []}, DataError, r"have the lengths \[0\]"),
        ({"a": np.ones((2, 2)), "y": [1, 2]}, DataError, r"column 'a' has shape \(2, 2\)"),
    ],
)
def test_what_is_no_frame(value, error, message):
    with pytest.raises(error, match=message):
        from_dataframe(value, target="y")


# New tables for old networks

SCHEMA = Columns(
    (Column("height", "numeric"), Column("soil", "category", ("dry", "wet"), "wet")),
    Column("kind", "category", ("fern", "moss")),
)


def test_encode(write):
    table = read_table(write("note,soil,height\nhello,wet,1.5\n,dry,2\n,,3\n"))
    assert SCHEMA.encode(table).tolist() == [[1.5, 0, 1], [2, 1, 0], [3, 0, 1]]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "soil,height\nwet,1\nswamp,2\n",
            DataError,
            r"line 3, column 'soil': the category 'swamp' is not known\n.*one of 'dry', 'wet'",
        ),
        ("soil,height\nwett,1\n", DataError, "did you mean 'wet'"),
        ("soil,height\nwet,tall\n", DataError, "line 2, column 'height': 'tall' is not a number"),
        ("soil,height\nwet,\n", DataError, "line 2, column 'height': the value is missing"),
        ("soil,hight\nwet,1\n", ColumnError, "has no column 'height'"),
    ],
)
def test_encode_refusals(write, text, error, message):
    with pytest.raises(error, match=message):
        SCHEMA.encode(read_table(write(text)))


def test_a_data_set_is_encoded_again_alike(write):
    path = write(PLANTS)
    data = read_csv(path, target="kind", split=ALL)
    kept = Columns.from_json(json.loads(json.dumps(data.columns.to_json())))
    assert kept == data.columns
    assert np.array_equal(kept.encode(read_table(path)), data.train.x)
    assert data.features == kept.names
    assert kept.target.categories == data.classes


def json_of(**changes):
    return {"name": "a", "kind": "numeric", "categories": [], "fill": None} | changes


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"version": 2, "features": [], "target": json_of()},
        {"version": 1, "features": [{}], "target": json_of()},
        {"version": 1, "features": [json_of(kind="date")], "target": json_of()},
        {"version": 1, "features": [json_of(kind="category")], "target": json_of()},
        {"version": 1, "features": [json_of(kind="category", categories=["a", "a"])], "target": json_of()},
        {"version": 1, "features": [json_of(kind="category", categories=["a", 1])], "target": json_of()},
        {"version": 1, "features": [json_of(kind="category", categories=["a"], fill="b")], "target": json_of()},
        {"version": 1, "features": [json_of(fill=float("nan"))], "target": json_of()},
        {"version": 1, "features": [json_of(fill="a")], "target": json_of()},
        {"version": 1, "features": [], "target": None},
    ],
)
def test_from_json_refuses_other_content(content):
    with pytest.raises(FileFormatError, match="Column"):
        Columns.from_json(content)


# Anything at all

CELLS = st.sampled_from(
    ["1", "2.5", "-3e4", "", "NA", "a", "b", "inf", "1,5", '"', '"x"', "é", "\0", " ", "1e999", "99999999999999999999"]
)
LINES = st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), max_size=12).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=80),
        st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
        LINES.map(lambda text: ("a,y\n" + text).encode()),
        st.lists(st.tuples(CELLS, CELLS), max_size=12).map(
            lambda rows: ("a,y\n" + "".join(f"{a},{b}\n" for a, b in rows)).encode()
        ),
    ),
    missing=st.sampled_from(["refuse", "drop", "mean", "most_frequent"]),
    task=st.sampled_from([None, "classification", "regression"]),
)
def test_any_bytes_give_a_data_set_or_a_chainrule_error(tmp_path_factory, content, missing, task):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    try:
        data = read_csv(path, target="y", missing=missing, task=task)
    except ChainruleError:
        return
    assert isinstance(data, Dataset)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.floats(-1e9, 1e9), st.sampled_from(["p", 'q "r"', "s;t", "u,v"]), st.floats(-1e9, 1e9)),
        min_size=5,
        max_size=20,
    )
)
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("a", "b", "y"), *((repr(a), b, repr(y)) for a, b, y in rows)])
    unscaled = {"scaling": "none", "target_scaling": "none"}  # a spread of 1e-309 has no float64 as its inverse
    data = from_table(read_table(path), target="y", task="regression", split=ALL, **unscaled)
    assert data.train.x[:, 0].tolist() == [a for a, _, _ in rows]
    assert data.train.y[:, 0].tolist() == [y for _, _, y in rows]
