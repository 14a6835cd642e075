"""pandas as the judge of tables: its numbers to the last bit, whatever its version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

_QUICK_IS_EXACT = tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1)


def read_by_pandas(path: Path, **options: Any) -> pd.DataFrame:
    """The table as pandas reads it."""
    exact: dict[str, Any] = {} if _QUICK_IS_EXACT or "engine" in options else {"float_precision": "round_trip"}
    return pd.read_csv(path, **exact, **options)
