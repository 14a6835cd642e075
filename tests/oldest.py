"""Prints the oldest version that pyproject.toml allows of each dependency, as constraints for pip: `make oldest` tests with these."""

import re
import tomllib
from pathlib import Path


def oldest(text: str) -> list[str]:
    """A constraint for each dependency of the core and of the pictures.

    >>> oldest('[project]\\ndependencies = ["numpy>=2.0"]\\noptional-dependencies.pictures = ["matplotlib>=3.8"]')
    ['numpy==2.0', 'matplotlib==3.8']
    """
    project = tomllib.loads(text)["project"]
    return [re.sub(">=", "==", wanted) for wanted in (*project["dependencies"], *project["optional-dependencies"]["pictures"])]


if __name__ == "__main__":
    print(*oldest((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")), sep="\n")
