"""The forms that tables have: what is found out, what is told, what is refused, and that each proposal of a refusal is one that helps."""

from __future__ import annotations

import gzip
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from pandas_judge import read_by_pandas

from chainrule.data import Column, Columns, Form, RandomSplit, Table, as_table, from_dataframe, load, read_csv, read_table
from chainrule.data.advice import advice
from chainrule.data.form import WORDS, from_text
from chainrule.errors import ColumnError, DataError, FileFormatError, OptionError, Remedy, command_words

ALL = RandomSplit(test=0)
MARKS = ["", "?", "NA", "N/A", "nan", "NaN", "NULL", "n/a", "<NA>", "NaT"]
PLAIN = "a,b,y\n" + "".join(f"{k * 0.3!r},{'uvw'[k % 3]},{k % 2}\n" for k in range(12))
ROWS = "".join(f"{k},{k * 0.37!r},{'xyz'[k % 3]}\n" for k in range(30))
BLANKS = 'mpg cyl\tname\n18.0   8.   "ford torino"\n15.0\t?  "amc rebel"\n 16.5   4.  vw\n'
COMMA = "t;v;\n1,5;-200;\n2,25;3;\n;7;\n"


@pytest.fixture
def write(tmp_path):
    def _write(text, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        content = text if isinstance(text, bytes) else text.encode(encoding)
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return _write


def equal(table: Table, frame: pd.DataFrame) -> None:
    """Cell by cell: numbers to the bit, texts as they are, missing where pandas has none."""
    assert list(table.columns) == [str(name) for name in frame.columns]
    for (name, cells), (_, series) in zip(table.columns.items(), frame.items(), strict=True):
        if isinstance(cells, np.ndarray):
            assert np.array_equal(cells.astype(float), series.to_numpy(float), equal_nan=True), name
        else:
            assert list(cells) == [None if pd.isna(value) else str(value).strip() for value in series], name


FORMS = [
    # name, text, encoding, file name, told to us, told to pandas
    ("commas", PLAIN, "utf-8", "t.csv", {}, {}),
    ("semicolons", PLAIN.replace(",", ";"), "utf-8", "t.csv", {}, {"sep": ";"}),
    ("pipes", PLAIN.replace(",", "|"), "utf-8", "t.txt", {}, {"sep": "|"}),
    ("tabs", PLAIN.replace(",", "\t"), "utf-8", "t.tsv", {}, {"sep": "\t"}),
    ("blanks", BLANKS, "utf-8", "t.data", {}, {"sep": r"\s+"}),
    ("old Mac lines", PLAIN.replace("\n", "\r"), "utf-8", "t.csv", {}, {}),
    ("decimal commas", COMMA, "utf-8", "t.csv", {"decimal": ",", "na_values": -200},
        {"sep": ";", "decimal": ",", "na_values": [-200], "usecols": [0, 1]}),
    ("thousands", 'a;b\n"1.000,5";2\n"20.000";3\n', "utf-8", "t.csv", {"decimal": ",", "thousands": "."},
        {"sep": ";", "decimal": ",", "thousands": "."}),
    ("quoted thousands", 'a,b\n"1,000",2\n"20,000",3\n', "utf-8", "t.csv", {"thousands": ","}, {"thousands": ","}),
    ("quoted decimal commas", 'a,b\n"1,5",2\n"20,25",3\n', "utf-8", "t.csv", {"decimal": ","}, {"decimal": ","}),
    ("no header", ROWS, "utf-8", "t.data", {"header": None}, {"header": None}),
    ("names given", ROWS, "utf-8", "t.data", {"names": ["n", "v", "w"]}, {"names": ["n", "v", "w"]}),
    ("insisted header", "1,2\n3,4\n5,6\n", "utf-8", "t.csv", {"header": 0}, {}),
    ("years as names", "land,1950,1960\nA,1,2\nB,3,4\n", "utf-8", "t.csv", {}, {}),
    ("lines above", "made by hand\nin May\na,b\n1,2\n3,4\n5,6\n", "utf-8", "t.csv", {"skiprows": 2}, {"skiprows": 2}),
    ("comments above", "# made by hand\n# in May\n" + PLAIN, "utf-8", "t.csv", {}, {"comment": "#"}),
    ("comments between", PLAIN + "# the end\n9,u,1 # doubtful\n", "utf-8", "t.csv", {"comment": "#"}, {"comment": "#"}),
    ("numpy's header", "# me\n# a b y\n1 2 3\n4.5 5 6\n", "utf-8", "t.dat", {}, {"sep": r"\s+", "names": ["a", "b", "y"], "comment": "#"}),
    ("units", "a,y\nm,s\n1,2\n3,4\n", "utf-8", "t.csv", {"units": True}, {"skiprows": [1]}),
    ("pandas' index", pd.DataFrame({"a": [1.5, 2.5], "y": [1, 2]}).to_csv(), "utf-8", "t.csv", {}, {"index_col": 0}),
    ("index of names", ",a,y\nann,1,2\nbob,3,4\n", "utf-8", "t.csv", {}, {"index_col": 0}),
    ("R's names of rows", '"a","y"\n"1",0.5,2\n"2",1.5,4\n', "utf-8", "t.csv", {}, {}),
    ("an index that is told", "k,a,y\n7,1,2\n9,3,4\n", "utf-8", "t.csv", {"index_col": "k"}, {"index_col": "k"}),
    ("Excel's line", "sep=;\na;b\n1,5;2\n", "utf-8", "t.csv", {"decimal": ","}, {"sep": ";", "skiprows": 1, "decimal": ","}),
    ("UTF-16", "größe\tb\n1\tü\n2\tv\n", "utf-16", "t.txt", {}, {"sep": "\t", "encoding": "utf-16"}),
    ("UTF-8 with its mark", PLAIN, "utf-8-sig", "t.csv", {}, {}),
    ("Latin-1", "größe,b\n1,ü\n2,v\n", "latin-1", "t.csv", {"encoding": "latin-1"}, {"encoding": "latin-1"}),
    ("gzip", PLAIN, "utf-8", "t.csv.gz", {}, {"compression": "gzip"}),
    ("other marks", "a,b\n-,1\n2,no one\n3,4\n", "utf-8", "t.csv", {"na_values": ["-", "no one"]}, {"na_values": ["-", "no one"]}),
    ("marks of all kinds", "a,b\n" + "".join(f"{mark},{mark}\n1,u\n" for mark in MARKS[1:]), "utf-8", "t.csv", {}, {}),
    ("quotes", 'a,"b, c"\n"x\ny",1\n"say ""hi""",2\n z ,3\n', "utf-8", "t.csv", {}, {}),
    ("truth values", "a,b\nTRUE,yes\nFALSE,no\n,yes\n", "utf-8", "t.csv", {}, {"dtype": str}),
    ("empty lines", "\n\na,b\n\n1,2\n\n\n3,4\n", "utf-8", "t.csv", {}, {}),
    ("huge whole numbers", "a,b\n99999999999999999999,1\n5,2\n", "utf-8", "t.csv", {}, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "encoding", "name", "ours", "theirs"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS]
)
def test_forms_are_read_as_pandas_reads_them(write, text, encoding, name, ours, theirs):
    path = write(text, name, encoding)
    expected = read_by_pandas(
        path,
        keep_default_na=False,
        **{"skipinitialspace": True} | theirs | {"na_values": [*MARKS, *theirs.get("na_values", [])]},
    )
    equal(read_table(path, **ours), expected)


def test_numbers_are_read_to_the_last_bit(write):
    random = np.random.default_rng(3)
    numbers = random.normal(size=3000) * 10.0 ** random.integers(-300, 300, 3000)
    texts = [repr(value) for value in numbers.tolist()] + [f"{value:.25g}" for value in numbers.tolist()]
    assert read_table(write("a\n" + "\n".join(texts) + "\n")).columns["a"].tolist() == [float(text) for text in texts]


def test_a_column_of_numbers_whose_texts_come_late(write):
    """pandas reads in pieces, and what it makes of one may be another kind than what it makes of the next."""
    codes = [str(k % 7).zfill(3) for k in range(120_000)] + ["x1"] * 3
    lines = "".join(f"{code},{k % 2}\n" for k, code in enumerate(codes))
    assert list(read_table(write("code,y\n" + lines)).columns["code"]) == codes


def test_the_marks_of_numbers_hold_beside_texts(write):
    path = write("a;b;y\n1,5;1.000;1\n2,5;tall;2\n3,5;2.000;3\nx;3.000;4\n")
    table = read_table(path, decimal=",", thousands=".", texts=["b"])
    assert table.columns["a"] == ("1.5", "2.5", "3.5", "x")
    assert table.columns["b"] == ("1.000", "tall", "2.000", "3.000")
    with pytest.raises(DataError, match="line 5, column 'a': 'x' is not a number\n"):
        read_csv(path, target="y", decimal=",", thousands=".", drop=["b"])


def test_lines_are_those_of_the_file(write):
    path = write('# note\n\na,y\n1,2\n\n"3\n",4\nx,5\n6,7\n')
    assert read_table(path).rows.tolist() == [4, 6, 8, 9]
    with pytest.raises(DataError, match="line 8, column 'a': 'x' is not a number"):
        read_csv(path, target="y")
    with pytest.raises(FileFormatError, match="line 4 has 3 cells"):
        read_table(write("a,y\n\n1,2\n3,4,5\n"))
    with pytest.raises(FileFormatError, match="line 5 has 1 cells"):
        read_table(write('a,y\n1,"u\nv"\n\n3\n'))


def test_short_rows_are_found_among_gaps(write):
    assert len(read_table(write("a,b\n1,\n2,3\n"))) == 2
    for text, told in (("a,b\n1,\n2\n3,4\n", {}), ('a,b\n"x, y",\n2\n', {}), ("a b\n1 2\n3\n4 5\n", {"delimiter": " "})):
        with pytest.raises(FileFormatError, match="has 1 cells, and the header has 2"):
            read_table(write(text), **told)


def test_texts_stay_as_they_are_written(write):
    path = write("zip,a,y\n01067,1,2.5\n01069,2,3.5\n01067,3,4.5\n")
    assert read_table(path, texts=["zip"]).columns["zip"] == ("01067", "01069", "01067")
    assert read_csv(path, target="y", categories=["zip"], split=ALL).features == ("zip=01067", "zip=01069", "a")
    assert read_csv(path, target="y", split=ALL).features == ("zip", "a")


def test_whole_numbers_beside_gaps_stay_classes(write):
    text = "a,y\n" + "".join(f"{k},{k % 2 if k % 5 else ''}\n" for k in range(20))
    assert read_csv(write(text), target="y", missing="drop").classes == ("0", "1")
    assert read_csv(write(text.replace(",1", ",1.0")), target="y", missing="drop").classes is None


# Refusals: each proposes what then reads the table

NUMBERS = {"1,5": "1.5", "7,25": "7.25", "0,5": "0.5"}


def column(cells, delimiter=";"):
    return f"x{delimiter}y\n" + "".join(f"{cell}{delimiter}{k + 0.5}\n" for k, cell in enumerate(cells))


REFUSALS = [
    # text, options, what Python proposes, what the command line proposes, the first row's x when one of them is followed
    (column(["1,5", "7,25", "0,5"]), {}, ["decimal=','"], "--decimal ,", 1.5),
    (column(["1,500", "7,250", "3,125"]), {}, ["thousands=','", "decimal=','"], "--thousands ,", 1500),
    (column(["1,000,000", "2,000,000", "3,000,000"]), {}, ["thousands=','"], "--thousands ,", 1e6),
    (column(["1.000,5", "2.000,5", "3,5"]), {}, ["decimal=','", "thousands='.'"], "--thousands .", 1000.5),
    (column(["1'000", "2'000", "3'000"]), {}, ['thousands="\'"'], "--thousands", 1000),
    (column(["-", "1", "2", "3"]), {"missing": "drop"}, ["na_values=('-',)"], "--na-values -", 1),
    (column(["1", "n.d.", "2", "3"]), {"missing": "drop"}, ["na_values=('n.d.',)"], "--na-values n.d.", 1),
    ("x;y\nm;1\n1;2\n2;3\n3;4\n", {}, ["units=True"], "--units", 1),
    ("0.5,1.5\n1.5,2.5\n2.5,3.5\n", {"target": 1}, ["header=None"], "--header none", 0.5),
    ("M,0.5,15\nF,0.75,7\nM,1.5,9\nF,2,3\n", {"target": 2, "drop": [0]}, ["header=None"], "--header none", 0.5),
    ("e,x,y\ne,u,y\np,u,z\ne,x,y\n", {"target": 0}, ["header=None"], "--header none", 0.0),
    ("größe,y\n1,2\n3,4\n".encode("latin-1"), {}, ["encoding='cp1252'"], "--encoding cp1252", 1),
    ("x,y\n1,2\n".encode("utf-16-le"), {}, [], "", None),
    ("x,y\n1,2\n# that was all\n", {}, ["comment='#'"], "--comment '#'", 1),
    ("Title of it all\nby me, and her\nx y\n1.5 2\n3 4\n5 6\n7 8\n", {"target": 1}, ["skiprows=3", "header=None"], "--skiprows 3", 1.5),
    (",x,y\n7,1,2\n3,4,5\n", {}, ["index_col=0"], "--index-col 0", 1),
]  # fmt: skip


@pytest.mark.parametrize(("text", "options", "proposed", "command", "first"), REFUSALS)
def test_each_refusal_proposes_what_then_reads_the_table(write, text, options, proposed, command, first):
    path = write(text)
    options = {"target": "y", "task": None, "split": ALL, **options}
    with pytest.raises((FileFormatError, DataError)) as caught:
        read_csv(path, **options)
    remedy = caught.value.remedy
    for words in proposed:
        assert words in remedy
    if not proposed:
        return
    assert isinstance(remedy, Remedy)
    assert command in remedy.command
    followed = {}
    for words in proposed if len(proposed) == 1 or "header" in proposed[1] or "thousands" in proposed[1] else proposed[:1]:
        name, value = words.split("=", 1)
        followed[name] = eval(value)  # what a user would type
    data = read_csv(path, **options, **followed)
    assert data.train.x[0, 0] == first


@pytest.mark.parametrize(
    "cells",
    [
        ["5%", "10%", "7%"],
        ["5 kg", "10 kg", "7 kg"],
        ["$5", "$10", "$7"],
        ["1e3 m", "2e3 m", "5 m"],
        ["20 °C", "21 °C", "5 °C"],
    ],
)
@pytest.mark.parametrize("where", ["x", "y"])
def test_numbers_with_a_unit_are_no_categories(write, cells, where):
    text = column(cells * 10) if where == "x" else "y;x\n" + "".join(f"{cell};{k}\n" for k, cell in enumerate(cells * 10))
    text = text if where == "x" else "x;y\n" + "".join(f"{k};{cell}\n" for k, cell in enumerate(cells * 10))
    with pytest.raises(DataError, match=rf"line 2, column '{where}': .* is not a number, one of 30 such cells(.|\n)*without"):
        read_csv(write(text), target="y")
    assert read_csv(write(text), target="y", categories=[where])


@pytest.mark.parametrize(
    "cells",
    [["4wd", "fwd", "rwd"], ["1st", "2nd", "3rd"], ["0-10", "10-20", "20-30"], ["A1", "A2", "B1"], ["1.5.2", "1.4.9", "2.0.0"]],
)
def test_categories_with_digits_stay_categories(write, cells):
    data = read_csv(write(column(cells * 10)), target="y")
    assert data.features == tuple(f"x={cell}" for cell in sorted(cells))
    assert "texts were taken for categories: 'x' (3)" in data.notes


@pytest.mark.parametrize(
    "dates", [["2024-05-01", "2024-05-02"], ["10/03/2004", "11/03/2004"], ["2024-05-01 10:00", "2024-05-01 11:00"]]
)
def test_dates_are_no_categories(write, dates):
    with pytest.raises(DataError, match=r"column 'x' holds 2 dates(.|\n)*drop=\('x',\)(.|\n)*TimeSplit"):
        read_csv(write(column(dates * 10)), target="y")


def test_texts_of_which_most_are_different_are_identifiers(write):
    names = [f"name {chr(65 + k // 26)}{chr(65 + k % 26)}" for k in range(60)]
    for cells in (names, [*names, names[0]], names * 1 + names[:20]):
        with pytest.raises(
            DataError, match=r"holds \d+ texts (that are all different|of which 60 are different)(.|\n)*drop=\('x',\)"
        ):
            read_csv(write(column(cells)), target="y")
    assert len(read_csv(write(column(names * 2)), target="y").features) == 60


def test_counts_are_said(write):
    text = "a,b,c,y\n" + "".join(f"{k if k % 4 else ''},{'uv'[k % 2] if k % 5 else ''},{k},{k + 0.5}\n" for k in range(40))
    dropped = read_csv(write(text), target="y", missing="drop", drop=["c"])
    assert "rows with missing cells were left out: 16 of 40, 40% (10 miss 'a', 8 miss 'b')" in dropped.notes
    filled = read_csv(write(text), target="y", missing="most_frequent", drop=["c"])
    assert any(re.match(r"missing cells were filled: 10 of 'a' with \d+, 8 of 'b' with '[uv]'", note) for note in filled.notes)


# What is told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ";;"}, "delimiter=';;'"),
        ({"delimiter": "x"}, "delimiter='x'"),
        ({"decimal": ";"}, "one of '.', ','"),
        ({"decimal": ",", "thousands": ","}, "different marks"),
        ({"comment": "#", "delimiter": "#"}, "different marks"),
        ({"encoding": "klingon"}, "encoding='klingon'"),
        ({"encoding": "base64"}, "encoding='base64'"),
        ({"header": "maybe"}, "header='maybe'"),
        ({"skiprows": -1}, "skiprows=-1"),
        ({"units": 3}, "units=3"),
    ],
)
def test_forms_that_make_no_sense(options, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        Form(**options)


def test_names_and_positions_that_do_not_fit(write):
    with pytest.raises(FileFormatError, match="has 3 columns, and 2 names were given"):
        read_table(write(ROWS), names=["a", "b"])
    with pytest.raises(ColumnError, match=r"has no column 'aa'(.|\n)*did you mean 'a'"):
        read_table(write(PLAIN), index_col="aa")
    with pytest.raises(FileFormatError, match="cannot be unpacked"):
        read_table(write(b"\x1f\x8b rest"))
    with pytest.raises(FileFormatError, match="more than 100 bytes, unpacked"):
        read_table(write("a,b\n" + "1,2\n" * 1000, "t.csv.gz"), max_bytes=100)


def test_one_description_serves_python_the_command_line_and_saved_runs(write):
    texts = {"delimiter": "tab", "encoding": "cp1252", "decimal": ",", "thousands": ".", "header": "none", "names": "a,b", "skiprows": "2",
             "comment": "#", "na_values": "-999,-", "index_col": "0", "units": "true", "keep_default_na": "false"}  # fmt: skip
    assert set(texts) == set(WORDS)
    form = Form(**{name: from_text(name, text) for name, text in texts.items()})
    assert form == Form(delimiter="\t", encoding="cp1252", decimal=",", thousands=".", header=None, names=["a", "b"], skiprows=2,
                        comment="#", na_values=[-999, "-"], index_col=0, units=True, keep_default_na=False)  # fmt: skip
    schema = Columns((Column("a", "numeric"),), Column("y", "numeric"), ("k",), form)
    assert Columns.from_json(schema.to_json()) == schema
    old = {name: value for name, value in schema.to_json().items() if name not in ("form", "others")}
    assert Columns.from_json(old) == Columns(schema.features, schema.target)
    for wrong in ({"form": {"sep": ";"}}, {"form": {"delimiter": 3}}, {"form": 3}, {"others": [3]}, {"others": "k"}):
        with pytest.raises(FileFormatError, match="in the file"):
            Columns.from_json(schema.to_json() | wrong)
    data = load(write("a;b;y\n1,5;7;1\n2,5;-;2\n3,5;8;3\n"), target="y", decimal=",", na_values="-", missing="mean", split=ALL)
    assert data.columns.form == Form(decimal=",", na_values="-")
    assert data.train.x.tolist() == [[1.5, 7], [2.5, 7.5], [3.5, 8]]


def test_advice_survives_pickling_and_quotes_what_a_shell_would_take_apart():
    remedy = advice("leave out {0}", ("drop", ("a b", "c, d", "e'f")))
    error = pickle.loads(pickle.dumps(DataError("x", expected="y", remedy=remedy)))
    assert command_words(error.remedy).endswith("""leave out --option 'drop=a b,"c, d",e'"'"'f'""")
    assert str(error).endswith("""leave out drop=('a b', 'c, d', "e'f")""")


# Rows of a new table that cannot be used


def test_rows_that_cannot_be_used_are_named_with_counts():
    schema = Columns(
        (Column("size", "numeric"), Column("hue", "category", ("blue", "red"))), Column("kind", "category", ("k", "l"))
    )
    table = Table({"size": np.array([1, 2, np.nan, 4]), "hue": ("red", "pink", "blue", None), "kind": ("k", "l", "k", "m")},
                  np.array([2, 3, 5, 6]), "line", "new.csv")  # fmt: skip
    good, said = schema.usable(table)
    assert good.tolist() == [True, False, False, False]
    assert said == [
        "1 row misses a value of 'size' (line 5)",
        "1 row misses a value of 'hue' (line 6)",
        "1 row holds a category of 'hue' that is not known, 'pink' (line 3)",
    ]
    assert "1 row holds a category of 'kind' that is not known, 'm' (line 6)" in schema.usable(table, with_target=True)[1]
    with pytest.raises(DataError, match="line 3, column 'hue': the category 'pink' is not known"):
        schema.encode(table.take(np.array([0, 1])))
    with pytest.raises(DataError, match=r"'pink' is not known; 5 of 6 rows hold such ones: rows 1, 2, 3, \.\.\."):
        schema.features[1].encode(as_table({"hue": ["red"] + ["pink"] * 5}))


def test_parts_are_encoded_as_the_whole():
    random = np.random.default_rng(0)
    frame = {"a": random.normal(size=10_000), "b": random.choice(["u", "v", "w"], 10_000), "y": random.normal(size=10_000)}
    data = from_dataframe(frame, target="y")
    whole = data.columns.encode(as_table(frame))
    parts = RandomSplit().parts(np.zeros((10_000, 1)))
    assert np.array_equal(data.train.x, whole[parts.train])
    assert np.array_equal(data.test.x, whole[parts.test])
    assert whole[:, 1:].sum(axis=1).tolist() == [1] * 10_000


# Frames


def test_frames_say_which_columns_are_categories():
    frame = pd.DataFrame({"c": pd.Categorical([1, 2, 10] * 4), "x": np.arange(12.0), "y": np.arange(12) * 1.5})
    assert from_dataframe(frame, target="y").features == ("c=1", "c=10", "c=2", "x")
    assert from_dataframe(frame, target="c").classes == ("1", "10", "2")


def test_columns_named_by_numbers():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 3)))
    assert from_dataframe(frame, target=2, drop=[0]).features == ("1",)
    with pytest.raises(ColumnError, match="no column '7'"):
        from_dataframe(frame, target=7)


def test_masked_cells_are_missing_cells():
    masked = np.ma.array([1e20, 1.0, 2.0, 3.0, 4.0, 5.0], mask=[True, False, False, False, False, False])
    columns = {"x": masked, "k": np.ma.array([1, 2, 3, 4, 5, 6], mask=[False, True] + [False] * 4), "y": np.arange(6.0)}
    with pytest.raises(DataError, match="row 0, column 'x': the value is missing"):
        from_dataframe(columns, target="y")
    data = from_dataframe(columns, target="y", missing="drop", split=ALL)
    assert data.train.x.tolist() == [[2, 3], [3, 4], [4, 5], [5, 6]]


def test_empty_files_in_any_encoding(write):
    for content in (b"", b"\n\n", b"\xef\xbb\xbf", b"\xff\xfe", gzip.compress(b"")):
        with pytest.raises(FileFormatError):
            read_table(write(content))


@pytest.mark.parametrize(
    "form", [{"delimiter": ";"}, {"header": None}, {"decimal": ","}, {"comment": "1"}, {"skiprows": 5}, {"encoding": "utf-16"}]
)
def test_a_form_that_is_not_the_files_is_refused_or_read(write, form):
    """Whatever is told wrongly: a table, or an error of ours."""
    path = write(PLAIN)
    try:
        table = read_table(path, **form)
    except (FileFormatError, OptionError):
        return
    assert len(table)
