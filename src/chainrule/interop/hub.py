"""Runs on the Hugging Face hub: a run folder with a card, up by its name, down by its name and the hash of a commit."""

from __future__ import annotations

import copy
import os
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chainrule.checks import Count, checked
from chainrule.errors import FileFormatError, MissingFileError, OptionError, UnwritableFileError
from chainrule.files import make_folder_at, named, refusals, write_whole
from chainrule.interop.records import hyperparameters, required
from chainrule.numerals import numeral
from chainrule.train import Run, open_run
from chainrule.train.saving import save

FILES = re.compile(
    r"(config|environment)\.json|history\.jsonl|network\.safetensors|snapshots/(step-\d{9}|start)\.(json|safetensors)"
)
"""What of a run folder goes up, and comes down; nothing in it can run code."""
MOST_FILES = 100
_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{40}")


@checked
def to_hub(run: Run, name: str, *, private: bool = True, message: str = "") -> str:
    """Saves a run on the Hugging Face hub, as "owner/name", and gives the hash of the commit.

    What goes there is a run folder, with its settings, history and weights, and a card with its scores: README.md. The data do not, but
    what they are called, their classes and columns, and the path that they were read from, do. private: whether a repository that is made
    for it is seen by its owner alone. Who you are, huggingface_hub knows: `hf auth login`.

    Raises: OptionError for what is no name of a repository, UnwritableFileError where the hub refuses or is not reached,
    MissingPackageError without huggingface_hub.

        commit = cr.to_hub(run, "ada/moons")
    """
    hub, repository = required("huggingface_hub", "hub"), _repository(name)
    with tempfile.TemporaryDirectory(prefix="chainrule-hub-") as place:
        # A copy, so that the run keeps the folder that it has.
        folder = save(copy.copy(run.trainer), place)
        write_whole(folder / "README.md", card(run, repository).encode())
        kept = [
            str(path.relative_to(folder)) for path in folder.rglob("*") if FILES.fullmatch(path.relative_to(folder).as_posix())
        ]
        with _answers(UnwritableFileError, f"{repository} cannot be written", "log in: hf auth login; or take another name"):
            api = hub.HfApi()
            api.create_repo(repository, private=private, exist_ok=True)
            said = message or f"{run.dataset_info.name}, {run.trainer.step} steps, parameters {run.hash[:12]}"
            found = api.upload_folder(
                repo_id=repository, folder_path=str(folder), commit_message=said, allow_patterns=["README.md", *kept]
            )
    return str(found.oid)


@checked
def from_hub(
    name: str,
    *,
    revision: str,
    data: Any = None,
    folder: str | os.PathLike[str] | None = None,
    most_bytes: Count = 2**30,
) -> Run:
    """A run from the Hugging Face hub, as `open_run` opens it: to be used, looked into, gone on with.

    name: "owner/name". revision: the hash of a commit, 40 hexadecimal digits: a branch or a tag may be another network tomorrow. data: as
    `open_run` takes it. folder: where the run's folder is made; None keeps the run in memory alone. Only files of a run folder are
    fetched, `most_bytes` of them at most; they are safetensors and JSON, so that nothing is run.

    Raises: OptionError, MissingFileError where there is no such run or the hub is not reached, FileFormatError for what is no run or
    is larger, MissingPackageError without huggingface_hub.

        run = cr.from_hub("ada/moons", revision="4f0c1f3b2e6d5a7c8b9a0f1e2d3c4b5a69788776")
    """
    hub, repository = required("huggingface_hub", "hub"), _repository(name)
    if not _HASH.fullmatch(revision):
        raise OptionError(
            f"revision={revision!r}",
            expected="the hash of a commit, 40 hexadecimal digits: what a branch or a tag means may change",
            remedy="take it from the page of the repository, History",
        )
    with tempfile.TemporaryDirectory(prefix="chainrule-hub-") as spare:
        place = Path(spare) if folder is None else named(folder, "folder")
        if folder is not None:
            place = place / f"{repository.replace('/', '_')}_{revision[:12]}"
            with refusals(place):
                make_folder_at(place)
        with _answers(
            MissingFileError, f"{repository} at {revision[:12]} cannot be read", "look whether name and hash are right"
        ):
            api = hub.HfApi()
            files = [
                item for item in api.list_repo_tree(repository, recursive=True, revision=revision) if hasattr(item, "size")
            ]
            for path in _wanted(repository, files, most_bytes):
                api.hf_hub_download(repository, path, revision=revision, local_dir=place)
        run = open_run(place, data=data)
        if folder is None:
            _ = run.history  # it is read from the folder, which goes away
            run.trainer.folder = None
    return run


def _repository(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"{name!r} on the hub", expected='"owner/name"', remedy="write to whom it belongs, and what it is called"
        )
    return name


def _wanted(repository: str, files: list[Any], most_bytes: int) -> list[str]:
    """The files of a run folder among all. Raises: FileFormatError for none, and for too many or too large ones."""
    found = {str(item.path): int(item.size) for item in files if FILES.fullmatch(str(item.path))}
    total = sum(found.values())
    if "config.json" not in found:
        raise FileFormatError(
            f"{repository} is no run: it has no config.json", expected="what cr.to_hub writes", remedy="take another repository"
        )
    if total > most_bytes or len(found) > MOST_FILES:
        raise FileFormatError(
            f"{repository} has {len(found)} files of a run, with {total:,} bytes",
            expected=f"{MOST_FILES} files and {most_bytes:,} bytes at most",
            remedy=f"write most_bytes={total}" if len(found) <= MOST_FILES else "take another repository",
        )
    return sorted(found)


@contextmanager
def _answers(kind: type[MissingFileError] | type[UnwritableFileError], happened: str, remedy: str) -> Generator[None]:
    """Whatever the hub, or the way there, answers, as an error of ours; those of ours pass."""
    try:
        yield
    except FileFormatError:
        raise
    # The client raises its own errors, those of the web beneath it, and plain ones.
    except Exception as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise kind(f"{happened}: {said}", expected="an answer of the hub", remedy=remedy) from error


def card(run: Run, repository: str) -> str:
    """The page of a repository: what it is, how it scores, how it was trained, and the lines that use it."""
    settings = "\n".join(f"| {_cell(key)} | {_cell(value)} |" for key, value in hyperparameters(run.trainer).items())
    scores = "\n".join(
        f"| {_cell(part)} | {_cell(name)} | {', '.join(numeral(float(value)) for value in values)} |"
        for part, found in (run.history.epochs[-1].parts if run.history.epochs else {}).items()
        for name, values in found.items()
    )
    return f"""---
library_name: chainrule
tags:
- chainrule
---

# {repository}

A neural network, trained on {_cell(run.dataset_info.name)} by chainrule. Its weights are safetensors, all else is JSON.

```python
import chainrule as cr

run = cr.from_hub("{repository}", revision="...")  # the hash of a commit of this repository
print(run)
```

| part | score | value of each replica |
|---|---|---|
{scores}

| setting | value |
|---|---|
{settings}

Parameters: SHA-256 {run.hash}.
"""


def _cell(value: object) -> str:
    """A text as a cell of a table in Markdown, whatever stands in it."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(str(value).split()))
