"""Workbooks as people have them: a title above, units below, gaps, dates, errors, formulas; pandas' reading of clean ones is the judge."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.application import application
from chainrule.errors import DataError, FileFormatError, MissingPackageError

openpyxl = pytest.importorskip("openpyxl")
RANDOM = np.random.default_rng(0)
# As many digits as openpyxl writes.
A, B, Y = (np.array([float(f"{value:.12e}") for value in row]) for row in RANDOM.normal(size=(3, 40)) * 1e-7)


def book(path: Path, fill: Callable[[Any], None]) -> Path:
    made = openpyxl.Workbook()
    fill(made.active)
    made.save(path)
    return path


def table(
    sheet: Any, heads: tuple[object, ...] = ("a", "b", "y"), down: int = 0, right: int = 0, **cells: list[object]
) -> None:
    columns = [cells.get(name, list(values)) for name, values in zip("aby", (A, B, Y), strict=True)]
    for place, column in enumerate(columns, right + 1):
        for row, value in enumerate([heads[place - right - 1], *column], down + 1):
            sheet.cell(row, place, value)


def loaded(tmp_path: Path, fill: Callable[[Any], None], **options: Any) -> cr.data.Dataset:
    return cr.data.load(book(tmp_path / "a.xlsx", fill), **{"target": "y", "split": None, **options})


def test_a_clean_sheet_is_what_pandas_reads(tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", table)
    data, wanted = cr.data.load(path, target="y", split=None), pd.read_excel(path)
    np.testing.assert_array_equal(data.train.x, wanted[["a", "b"]])
    np.testing.assert_array_equal(data.train.y[:, 0], wanted["y"])
    read = cr.data.read_table(path)
    assert list(read.columns) == ["a", "b", "y"]
    assert read.place(0, "a") == "line 2, column 'a'"


def moved(sheet: Any) -> None:
    table(sheet, down=3, right=2)


def with_gap(sheet: Any) -> None:
    table(sheet)
    sheet.insert_cols(2)


@pytest.mark.parametrize("fill", [moved, with_gap])
def test_rows_and_columns_without_a_cell_are_none(fill: Callable[[Any], None], tmp_path: Path) -> None:
    data = loaded(tmp_path, fill)
    np.testing.assert_array_equal(data.train.x, np.c_[A, B])


def test_a_title_and_a_row_of_units_are_told_as_those_of_text_files(tmp_path: Path) -> None:
    def fill(sheet: Any) -> None:
        sheet["A1"] = "Run 17, the second day"
        sheet.merge_cells("A1:C1")
        table(sheet, down=1, a=["V", *A], b=["s", *B], y=["m", *Y])

    with pytest.raises(FileFormatError, match=r"line 1, the header: column 2 has no name[\s\S]*skiprows=1"):
        loaded(tmp_path, fill)
    with pytest.raises(DataError, match=r"units=True"):
        loaded(tmp_path, fill, skiprows=1)
    data = loaded(tmp_path, fill, skiprows=1, units=True)
    np.testing.assert_array_equal(data.train.x, np.c_[A, B])
    run = cr.fit("2-1", data, epochs=1, folder=tmp_path / "runs")
    said = CliRunner().invoke(application, ["predict", str(run.folder), str(tmp_path / "a.xlsx")])
    np.testing.assert_allclose(np.array(said.output.split()[1:], float), run.predict(data.train.x)[:, 0], rtol=1e-5)


def test_names_that_stand_twice_are_refused_as_in_text_files(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="two columns are named 'a'"):
        loaded(tmp_path, lambda sheet: table(sheet, ("a", "a", "y")))


def test_errors_are_missing_cells_and_formulas_without_values_are_said(tmp_path: Path) -> None:
    broken: list[object] = ["#DIV/0!", *A[1:]]
    with pytest.raises(DataError, match="line 2, column 'a': the value is missing"):
        loaded(tmp_path, lambda sheet: table(sheet, a=broken))
    assert loaded(tmp_path, lambda sheet: table(sheet, a=broken), missing="mean").train.x[0, 0] == pytest.approx(A[1:].mean())
    formulas: list[object] = [f"=2*A{row}-B{row}" for row in range(2, 42)]
    with pytest.raises(FileFormatError, match=r"row 2, column 3: the formula =2\*A2-B2 has no value"):
        loaded(tmp_path, lambda sheet: table(sheet, y=formulas))


def test_dates_and_truth_values_are_those_of_text_files(tmp_path: Path) -> None:
    days: list[object] = [datetime.datetime(2024, 1, 1) + datetime.timedelta(days=place) for place in range(40)]
    with pytest.raises(DataError, match="column 'a' holds 40 dates, such as '2024-01-01T00:00:00'"):
        loaded(tmp_path, lambda sheet: table(sheet, a=days))
    parts = loaded(tmp_path, lambda sheet: table(sheet, a=days[::-1]), split=cr.data.TimeSplit("a", test=0.25))
    np.testing.assert_array_equal(parts.test.x[:, 0], B[:10][::-1])
    truths: list[object] = [place % 2 == 0 for place in range(40)]
    assert loaded(tmp_path, lambda sheet: table(sheet, a=truths)).features == ("a=False", "a=True", "b")


def test_decimal_commas_that_were_told_leave_numbers_numbers(tmp_path: Path) -> None:
    texts: list[object] = [f"{value:.12f}".replace(".", ",") for value in A]
    data = loaded(tmp_path, lambda sheet: table(sheet, a=texts), decimal=",", thousands=".")
    np.testing.assert_allclose(data.train.x, np.c_[np.round(A, 12), B], rtol=1e-15)


def test_what_is_no_workbook_or_has_no_reader_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK no more")
    with pytest.raises(FileFormatError, match=r"cannot be read as a \.xlsx file"):
        cr.data.load(tmp_path / "a.xlsx", target="y")
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(MissingPackageError, match=r"chainrule\[spreadsheet\]"):
        cr.data.load(tmp_path / "a.xlsx", target="y")
