"""Long tables, which several threads read some lines of each: to the same columns, and the same complaints, as at one go."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import pieces
from chainrule.data.csv_file import read_table

ROWS = [
    *(f"{place},{place / 7:.3f},{'wet' if place % 3 else 'dry'},{place if place % 5 else 'NA'}" for place in range(60)),
    "", "60,1e400,dry,1.5", "61,-2,dry,   7", "62,3,old,", "",
]  # fmt: skip


def written(tmp_path, rows, head="a,b,c,d"):
    path = tmp_path / "long.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


@pytest.mark.parametrize("size", [1, 40, 333])
@pytest.mark.parametrize("comment", [None, "!"])
@pytest.mark.parametrize("least", [0, 2**23])  # by several threads, and by one
def test_a_table_is_the_same_however_its_lines_are_shared_out(tmp_path, monkeypatch, size, comment, least):
    rows = [row for place, row in enumerate(ROWS) if comment or not row.startswith("!")]
    rows = [*rows[:7], "! said", *rows[7:]] if comment else rows
    path = written(tmp_path, rows)
    whole = read_table(path, comment=comment)
    monkeypatch.setattr(pieces, "_BYTES", size)
    monkeypatch.setattr(pieces, "_BYTES_OF_A_COLUMN", 0)
    monkeypatch.setattr(pieces, "_LEAST", least)
    shared = read_table(path, comment=comment)
    assert list(shared.columns) == list(whole.columns) == ["a", "b", "c", "d"]
    for name, cells in whole.columns.items():
        found = shared.columns[name]
        if isinstance(cells, np.ndarray):
            np.testing.assert_array_equal(found, cells)
            assert found.dtype == cells.dtype
        else:
            assert list(found) == list(cells)
    np.testing.assert_array_equal(shared.rows, whole.rows)


@pytest.mark.parametrize("line", [0, 1, 25, 59])
@pytest.mark.parametrize("odd", [",", ",,", ",9"])
@pytest.mark.parametrize("least", [0, 2**23])
def test_a_row_with_a_cell_too_many_is_refused_wherever_it_stands(tmp_path, monkeypatch, line, odd, least):
    monkeypatch.setattr(pieces, "_BYTES", 1)  # so that each row is the first one of some lines
    monkeypatch.setattr(pieces, "_BYTES_OF_A_COLUMN", 0)
    monkeypatch.setattr(pieces, "_LEAST", least)
    rows = ROWS[:60]
    path = written(tmp_path, [*rows[:line], rows[line] + odd, *rows[line + 1 :]])
    with pytest.raises(cr.errors.FileFormatError, match=f"line {line + 2} has [56] cells"):
        read_table(path)


@pytest.mark.parametrize("least", [0, 2**23])
def test_no_more_is_read_than_may_be(tmp_path, monkeypatch, least):
    monkeypatch.setattr(pieces, "_BYTES", 1)
    monkeypatch.setattr(pieces, "_BYTES_OF_A_COLUMN", 0)
    monkeypatch.setattr(pieces, "_LEAST", least)
    with pytest.raises(cr.errors.FileFormatError, match="more than 10 rows"):
        read_table(written(tmp_path, ROWS[:60]), max_rows=10)
