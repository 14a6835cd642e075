"""Content: a text looked at block by block, in memory or on the disk, tells what the whole of it tells."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import Form, read_csv, read_table
from chainrule.data import content as module
from chainrule.data.content import Content, count_outside_quotes, survey
from chainrule.data.progress import listening
from chainrule.errors import ChainruleError, FileFormatError

TEXTS = st.lists(st.sampled_from(["a", "7", ",", " ", "\t", '"', "\n", "\r\n", "é", "=", "-"]), max_size=60).map("".join)


@given(TEXTS, st.integers(1, 9))
def test_a_survey_block_by_block(tmp_path_factory, text, block):
    content = text.encode()
    path = tmp_path_factory.getbasetemp() / "survey.csv"
    path.write_bytes(b"\xef\xbb\xbf" + content)
    newline = "\n" if "\n" in text else "\r"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        for source in (Content(content, "t"), Content(path, "t", 3)):
            found = survey(source)
            assert found.lines == text.count(newline) + (bool(text) and not text.endswith(newline))
            assert found.quotes_pair == (text.count('"') % 2 == 0)
            assert found.is_blank == (not text.strip() or not text)
            # It may say so too often, never too seldom.
            assert found.has_blanks >= bool(re.search(r"(^|[^a-z0-9é])[ \t]", text))
            assert list(source.lines()) == [line for line in re.split(f"(?<={newline})", text) if line]
            if found.quotes_pair:
                bare = re.sub(r'"[^"]*"', "", text)
                assert count_outside_quotes(source, 0, ",") == bare.count(",")


FILES = [
    "a,b\n" + "".join(f"{k},{k * 1.5}\n" for k in range(200)),
    "a;b;c\n" + "".join(f"{k / 7};{'wet' if k % 3 else 'dry é'};{k % 2 == 0}\n" for k in range(300)),
    'a,b\n"x, y",1\n"two\nlines",2\n',
    "a, b\r\n1, 2\r\n\r\n3, NA\r\n",
    "a,b\n1,2\n3\n",
    'a,b\n1,"2\n',
    "a\tb\n" + "".join(f"{k}\t{'text' if k > 250 else k}\n" for k in range(280)),
    "",
    " \n",
]


@pytest.mark.parametrize("text", FILES)
def test_a_table_on_the_disk_is_the_one_in_memory(tmp_path, monkeypatch, text):
    path = tmp_path / "table.csv"
    path.write_text(text, newline="")

    def read():
        try:
            table = read_table(path)
        except ChainruleError as error:
            return str(error)
        return {name: list(cells) for name, cells in table.columns.items()}, table.rows.tolist(), table.notes

    expected = repr(read())
    monkeypatch.setattr("chainrule.data.decoding._SMALL", 0)
    monkeypatch.setattr(module, "_BLOCK", 11)
    monkeypatch.setattr("chainrule.data.pieces._CELLS", 64)
    assert repr(read()) == expected


def test_what_is_no_utf8_is_named_by_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.data.decoding._SMALL", 0)
    path = tmp_path / "latin.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\n1,2\n3,\xe9\n")
    with pytest.raises(FileFormatError, match=r"byte 10 \(0xe9\)"):
        read_table(path)


def test_a_line_of_millions_of_characters(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LONGEST_LINE", 300)
    monkeypatch.setattr(module, "_LONGEST_CELL", 100)
    path = tmp_path / "long.csv"
    path.write_text("a,b\n1,2\n" + "7" * 301 + ",1\n3,4\n")
    with pytest.raises(FileFormatError, match="line 3 has 303 characters"):
        read_table(path)


def test_readers_say_how_far_they_are(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(FILES[0])
    heard = []
    with listening(lambda words, share: heard.append((words, share))):
        read_table(path)
    assert heard == [("looking at the file", 1.0), ("reading", 1.0)]


def test_usual_marks_can_be_texts(tmp_path):
    path = tmp_path / "countries.csv"
    path.write_text("country,x,y\nNA,1,2\nDE,?,3\n,5,4\n")
    assert read_table(path, keep_default_na=False).columns["x"] == ("1", "?", "5")
    table = read_table(path, keep_default_na=False, na_values="?")
    assert table.columns["country"] == ("NA", "DE", None)
    assert np.array_equal(table.columns["x"], [1, np.nan, 5], equal_nan=True)
    assert read_table(path).columns["country"] == (None, "DE", None)
    assert Form(keep_default_na=False).to_json()["keep_default_na"] is False


@pytest.mark.parametrize("row", ["1,2,3,4", "1,2"])
def test_rows_of_another_length_are_refused_also_where_columns_are_left_out(tmp_path, row):
    path = tmp_path / "table.csv"
    path.write_text("a,b,y\n" + "1,2,3.5\n" * 30 + row + "\n")
    with pytest.raises(FileFormatError, match="line 32 has"):
        read_csv(path, target="y", drop=["a"])
    path.write_text("a,b,y\n" + "1,2,3.5\n2,x,4.5\n" * 30)
    data = read_csv(path, target="y", drop=["a"])
    assert data.features == ("b=2", "b=x")
    assert data.columns.others == ("a",)
