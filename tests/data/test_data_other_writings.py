"""Numbers as instruments and printers write them, labels stored as floats, codes that begin with 0: read rightly, or said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError

RANDOM = np.random.default_rng(0)
VALUES = RANDOM.normal(size=(40, 3)) * 10.0 ** RANDOM.integers(-3, 4, size=(40, 3))
FEW = RANDOM.integers(-4, 3, size=40)


def written(path: Path, columns: dict[str, list[str]], mark: str = ",") -> Path:
    rows = [mark.join(columns), *map(mark.join, zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


WRITINGS = {
    "Fortran's double precision": lambda value: f"{value:.6e}".replace("e", "D"),
    "Fortran's, in small letters": lambda value: f"{value:.6e}".replace("e", "d"),
    "a printer's minus": lambda value: f"{value:.6e}".replace("-", "−"),
    "both": lambda value: f"{value:.6e}".replace("e", "D").replace("-", "−"),
}


@pytest.mark.parametrize("name", WRITINGS)
def test_numbers_in_other_writings_are_those_that_python_reads(name: str, tmp_path: Path) -> None:
    """Inputs and targets, in training and in prediction."""
    columns = {head: list(map(WRITINGS[name], VALUES[:, place])) for place, head in enumerate("aby")}
    data = cr.data.load(written(tmp_path / "a.csv", columns), target="y", split=None)
    wanted = np.array([[float(f"{value:.6e}") for value in row] for row in VALUES])
    np.testing.assert_array_equal(data.train.x, wanted[:, :2])
    np.testing.assert_array_equal(data.train.y, wanted[:, 2:])
    german = {head: [text.replace(".", ",") for text in texts] for head, texts in columns.items()}
    again = cr.data.load(written(tmp_path / "b.csv", german, ";"), target="y", split=None, decimal=",")
    np.testing.assert_array_equal(again.train.x, wanted[:, :2])


def test_few_whole_numbers_with_a_printers_minus_are_no_categories(tmp_path: Path) -> None:
    columns = {"a": [str(value).replace("-", "−") for value in FEW], "y": [f"{value:.3f}" for value in VALUES[:, 0]]}
    data = cr.data.load(written(tmp_path / "a.csv", columns), target="y", split=None)
    assert data.features == ("a",)
    np.testing.assert_array_equal(data.train.x[:, 0], FEW)


def test_rooms_and_their_like_stay_categories(tmp_path: Path) -> None:
    columns = {"room": [f"{place % 4}D{place % 3}" for place in range(40)], "y": [f"{value:.3f}" for value in VALUES[:, 0]]}
    data = cr.data.load(written(tmp_path / "a.csv", columns), target="y", split=None)
    assert len(data.features) == 12


@pytest.mark.parametrize("mark", ["-nan", "-NaN", "nan", "NaN"])
@pytest.mark.parametrize("missing", ["refuse", "drop", "mean"])
def test_every_nan_that_c_prints_is_a_missing_cell(mark: str, missing: str, tmp_path: Path) -> None:
    cells = [mark if place == 7 else f"{value:.3f}" for place, value in enumerate(VALUES[:, 0])]
    path = written(tmp_path / "a.csv", {"a": cells, "y": [f"{value:.3f}" for value in VALUES[:, 1]]})
    if missing == "refuse":
        with pytest.raises(DataError, match="line 9, column 'a': the value is missing"):
            cr.data.load(path, target="y")
        return
    data = cr.data.load(path, target="y", missing=missing, split=None)
    others = np.delete(np.round(VALUES[:, 0], 3), 7)
    wanted = others if missing == "drop" else np.insert(others, 7, others.mean())
    np.testing.assert_allclose(data.train.x[:, 0], wanted)


def test_an_infinity_among_texts_of_numbers_is_named() -> None:
    frame = {"a": ["1.5", "inf", "2.5"] * 5, "y": list(np.arange(15.0))}
    with pytest.raises(DataError, match="row 1, column 'a': the value is inf"):
        cr.data.from_dataframe(frame, target="y")


def test_labels_with_a_point_are_noted_and_other_numbers_are_not(tmp_path: Path) -> None:
    a = [f"{value:.3f}" for value in VALUES[:, 0]]
    for targets, noted in (
        ([f"{place % 2}.0" for place in range(40)], True),
        ([f"{place}.0" for place in range(40)], False),
        (a, False),
    ):
        path = written(tmp_path / "a.csv", {"a": a[::-1], "y": targets})
        data = cr.data.load(path, target="y", split=None)
        assert data.classes is None
        assert (
            any("2 distinct whole numbers with a point" in note and "task='classification'" in note for note in data.notes)
            is noted
        )
    assert cr.data.load(
        written(tmp_path / "a.csv", {"a": a, "y": ["0.0", "1.0"] * 20}), target="y", task="classification"
    ).classes


def test_codes_that_begin_with_0_are_noted_unless_they_are_kept(tmp_path: Path) -> None:
    y = [f"{value:.3f}" for value in VALUES[:, 1]]
    path = written(tmp_path / "a.csv", {"zip": [f"0{1000 + place % 4}" for place in range(40)], "n": ["10", "20"] * 20, "y": y})
    noted = cr.data.load(path, target="y", split=None)
    assert [note for note in noted.notes if "begin with 0" in note] == [
        "the numbers of 'zip' begin with 0: if they are codes, categories=('zip',) keeps them as they are written"
    ]
    kept = cr.data.load(path, target="y", split=None, categories=["zip"])
    assert kept.features[:4] == ("zip=01000", "zip=01001", "zip=01002", "zip=01003")
    assert not any("begin with 0" in note for note in kept.notes)


@pytest.mark.parametrize(
    ("texts", "proposed"),
    [
        ([f"{value:.4f}".replace(".", ",") for value in VALUES[:, 0]], "decimal=','"),
        (["-", *(f"{value:.4f}" for value in VALUES[1:, 0])], "units=True"),
        (["-", *(f"{value:.4f}".replace(".", ",") for value in VALUES[1:, 0])], "decimal=','"),
        ([f"{value:.4f} eV" for value in VALUES[:, 0]], "without 'eV'"),
    ],
    ids=["decimal comma", "units", "units above decimal commas", "unit in the cells"],
)
def test_a_target_of_numbers_in_another_writing_is_answered_as_any_column(
    texts: list[str], proposed: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "a.csv", {"a": [f"{value:.3f}" for value in VALUES[:, 1]], "y": texts}, ";")
    with pytest.raises(DataError, match=r"column 'y'") as caught:
        cr.data.load(path, target="y")
    assert proposed in str(caught.value)
