"""Mutants of the source: one small change each, made in a copy of the tree; the nearest tests must notice it. `make mutants SIZE=200`.

cosmic-ray says which changes there are and makes them. Which files are changed, and in which files the tests of each stand, says
nearest.toml; the file's own doctests come first. Each file of tests is run once without a mutant: it must pass, and which test reaches
which line is noted, so that a mutant is shown to the tests that reach its line alone. Mutants that do what the source does stand in
accepted.toml, each with its reason. What was found is kept in .mutants, by the bytes of mutant and tests: a run that was stopped goes
on, and a test that is changed is asked again.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from queue import SimpleQueue

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.plugins import get_operator, operator_names
from coverage import CoverageData

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
KEPT = ROOT / ".mutants"
FOUND = KEPT / "found.jsonl"
FIRST, MOST = 40, 240
"""How many of the tests that reach a line are asked first, and how many in all, evenly spread; most lines are reached by fewer."""
LEAST = 0.95
"""How many of the mutants that are not accepted must be killed."""
SAME = ("Is_Eq", "Eq_Is", "IsNot_NotEq", "NotEq_IsNot")
"""Operators that are left out: of None, names and small numbers, which `is` and `==` compare here, both say the same."""
NO_TESTS, NO_SUCH_TEST = 5, 4
"""What pytest's status means."""
LIMIT, FACTOR = 60, 4
"""A mutant's tests may take FACTOR times as long as those of their files do, and LIMIT seconds more."""
COPIED = ("src", "tests", "docs", "benchmarks", "pyproject.toml", "README.md", "Makefile", "CHANGELOG.md", "LICENSE")
_TICKS = count(1)


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    path: str
    operator: str
    occurrence: int
    source: str
    changed: str

    @property
    def lines(self) -> tuple[str, str]:
        """The lines that are changed, before and after, as accepted.toml names them."""
        found = list(difflib.ndiff(self.source.splitlines(), self.changed.splitlines()))
        return tuple(" | ".join(line[2:].strip() for line in found if line[:2] == mark) for mark in ("- ", "+ "))

    @property
    def line(self) -> int:
        """The number of the first line that is changed, from 1."""
        pairs = zip(self.source.splitlines(), self.changed.splitlines(), strict=False)
        return next((number for number, (one, other) in enumerate(pairs, 1) if one != other), 1)

    @property
    def diff(self) -> str:
        """The change, with a line before and behind."""
        pieces = difflib.unified_diff(
            self.source.splitlines(), self.changed.splitlines(), self.path, self.operator, n=1, lineterm=""
        )
        return "\n".join(pieces)


# ---- which there are


def nearest() -> dict[str, tuple[str, ...]]:
    """The files that are changed, and the tests of each: its own doctests, then those of the table, the nearest first."""
    found: dict[str, tuple[str, ...]] = {}
    for row in tomllib.loads((HERE / "nearest.toml").read_text(encoding="utf-8"))["near"]:
        for pattern in row["files"]:
            paths = sorted(ROOT.glob(pattern))
            if not paths:
                raise SystemExit(f"nearest.toml names {pattern}, which there is not")
            for path in paths:
                if path.name != "__init__.py":
                    name = str(path.relative_to(ROOT))
                    found.setdefault(name, (name, *_files(row["tests"])))
    return found


def _files(tests: Iterable[str]) -> Iterator[str]:
    """Files of tests, those in folders one by one."""
    for test in tests:
        item = ROOT / test
        yield from (str(path.relative_to(ROOT)) for path in (sorted(item.glob("test_*.py")) if item.is_dir() else [item]))


def sites(path: str) -> dict[tuple[int, int], list[tuple[str, int]]]:
    """The places of a file that can be changed, each with operators and their counts, but for those that nothing goes by."""
    source = (ROOT / path).read_text(encoding="utf-8")
    tree, left_out, found = get_ast(source), list(_idle(ast.parse(source))), {}
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments() or name.endswith(SAME):
            continue
        places = (place for node in ast_nodes(tree) for place in operator().mutation_positions(node))
        for occurrence, (start, _) in enumerate(places):
            if not any(first <= start < last for first, last in left_out):
                found.setdefault(start, []).append((name, occurrence))
    return found


def _idle(tree: ast.Module) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where annotations and names of types stand, and what `zip` is told of lengths that are equal: lines from 1, columns from 0."""
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.arg):
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef):
            parts = [node.returns]
        elif isinstance(node, ast.keyword) and node.arg == "strict":
            parts = [node.value]
        elif isinstance(node, ast.AnnAssign):
            is_alias = isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias"
            parts = [node if is_alias else node.annotation]
        yield from (((part.lineno, part.col_offset), (part.end_lineno, part.end_col_offset)) for part in parts if part)


def drawn(paths: Iterable[str], size: int, seed: int) -> list[Mutant]:
    """So many mutants: places by chance, and one change at each; the same ones also where the source was changed elsewhere."""
    places: list[tuple[str, str, list[tuple[str, int]]]] = []
    for path in sorted(paths):
        lines, seen = (ROOT / path).read_text(encoding="utf-8").splitlines(), Counter[str]()
        for (row, _), changes in sorted(sites(path).items()):
            text = lines[row - 1]
            seen[text] += 1
            places.append((_lot(seed, path, text, seen[text]), path, sorted(changes)))
    mutants: list[Mutant] = []
    for lot, path, changes in sorted(places):
        if len(mutants) < size:
            name, occurrence = changes[int(lot, 16) % len(changes)]
            source = (ROOT / path).read_text(encoding="utf-8")
            changed = MutationVisitor.mutate_code(source, get_operator(name)(), occurrence)
            if changed is not None and changed != source:
                mutants.append(Mutant(path, name.removeprefix("core/"), occurrence, source, changed))
    return mutants


def _lot(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


# ---- a copy of the tree, and its tests


class Copy:
    """A copy of the tree, in which one file at a time is another one."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        for name in COPIED:
            item = ROOT / name
            copy = shutil.copytree if item.is_dir() else shutil.copy2
            copy(item, place / name, **({"ignore": shutil.ignore_patterns("__pycache__", "site")} if item.is_dir() else {}))

    def write(self, path: str, text: str) -> None:
        """Another text for a file; no two texts are of one time, so that none is taken for the other's bytecode."""
        target = self.place / path
        target.write_text(text, encoding="utf-8")
        when = time.time() + next(_TICKS)
        os.utime(target, (when, when))

    def tested(self, tests: Iterable[str], limit: float, *options: str) -> tuple[int | None, str]:
        """What pytest says: its status, None where it took too long, and its last lines."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--no-header",
            "-p",
            "no:cacheprovider",
            "--tb=line",
            *options,
            *tests,
        ]
        given = {
            **os.environ,
            "PYTHONPATH": str(self.place / "src"),
            "PYTHONDONTWRITEBYTECODE": "",
            "COVERAGE_FILE": str(self.place / "reached"),
        }
        with subprocess.Popen(
            command,
            cwd=self.place,
            env=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                said, _ = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                return None, f"no end after {limit:.0f} s"
        return process.returncode, "\n".join(said.splitlines()[-15:])


# ---- which test reaches which line


@dataclass(frozen=True)
class Reached:
    """What a file of tests reaches without a mutant: its seconds, and for each line of each file the tests."""

    test: str
    seconds: float
    lines: dict[str, dict[str, list[str]]]

    @cached_property
    def mean(self) -> float:
        """The seconds of one test."""
        tests = {test for lines in self.lines.values() for found in lines.values() for test in found}
        return self.seconds / max(1, len(tests))

    def by(self, mutant: Mutant) -> list[str]:
        """The tests that reach a mutant's line."""
        return self.lines.get(mutant.path, {}).get(str(mutant.line), [])


def reached(copy: Copy, test: str) -> Reached:
    """The tests of a file, run without a mutant; SystemExit where they fail."""
    kept = KEPT / f"{_digest(copy.place, test, 'src')}.json"
    if not kept.exists():
        begin = time.perf_counter()
        status, said = copy.tested([test], 3600, "--cov=chainrule", "--cov-context=test", "--cov-report=")
        if status not in {0, NO_TESTS}:
            raise SystemExit(f"{test} fails without a mutant:\n{said}")
        data = CoverageData(str(copy.place / "reached"))
        data.read()
        paths = data.measured_files() if status == 0 else set[str]()
        lines = {
            str(Path(path).relative_to(copy.place)): {
                str(line): sorted({name.partition("|")[0] for name in names if "::" in name})
                for line, names in data.contexts_by_lineno(path).items()
            }
            for path in paths
        }
        KEPT.mkdir(exist_ok=True)
        kept.write_text(json.dumps({"seconds": time.perf_counter() - begin, "lines": lines}), encoding="utf-8")
    found = json.loads(kept.read_text(encoding="utf-8"))
    return Reached(test, found["seconds"], found["lines"])


def _digest(root: Path, *names: str) -> str:
    """The bytes of files, of folders, and of what helps a file of tests."""
    digest = hashlib.sha256()
    for name in names:
        item = root / name
        helpers = (
            [path for path in item.parent.glob("*.py") if not path.name.startswith("test_")] if name.startswith("tests") else []
        )
        for path in sorted(item.rglob("*.py")) if item.is_dir() else [item, *sorted(helpers)]:
            digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:32]


# ---- what was found


def known() -> dict[str, str]:
    """What earlier runs found."""
    lines = FOUND.read_text(encoding="utf-8").splitlines() if FOUND.exists() else []
    return {row["key"]: row["outcome"] for row in map(json.loads, lines)}


def outcomes(mutants: list[Mutant], near: dict[str, tuple[str, ...]], processes: int) -> dict[Mutant, str]:
    """ "killed", "too long" or "survived" for each mutant."""
    before = known()
    tests = {name: _digest(ROOT, name) for mutant in mutants for name in near[mutant.path][1:]}
    keys = {mutant: _key(mutant, [tests[name] for name in near[mutant.path][1:]]) for mutant in mutants}
    found = {mutant: before[key] for mutant, key in keys.items() if key in before}
    open_ones = [mutant for mutant in mutants if mutant not in found]
    with tempfile.TemporaryDirectory() as place:
        copies: SimpleQueue[Copy] = SimpleQueue()
        for number in range(min(processes, max(1, len(open_ones)))):
            copies.put(Copy(Path(place) / f"copy{number}"))
        first = copies.get()
        by_test = {
            name: reached(first, name) for name in dict.fromkeys(test for mutant in open_ones for test in near[mutant.path])
        }
        copies.put(first)

        def ask(mutant: Mutant) -> None:
            copy = copies.get()
            found[mutant] = shown_to(copy, mutant, [by_test[name] for name in near[mutant.path] if by_test[name].lines])
            copies.put(copy)
            with FOUND.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": keys[mutant], "outcome": found[mutant], "path": mutant.path}) + "\n")
            print(f"{len(found):5} of {len(mutants)}  {found[mutant]:9} {mutant.path}  {mutant.lines[1][:70]}", flush=True)

        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(ask, open_ones))
    return found


def shown_to(copy: Copy, mutant: Mutant, near: list[Reached]) -> str:
    """What the tests that reach a mutant's line say of it; where none does, as of what runs on import, all that are near."""
    tests = [test for file in near for test in file.by(mutant)]
    tests = tests[:: max(1, len(tests) // MOST)]
    first = tests[:: max(1, len(tests) // FIRST)]
    rounds = [first, [test for test in tests if test not in set(first)]] if tests else [[file.test for file in near]]
    copy.write(mutant.path, mutant.changed)
    try:
        for asked in filter(None, rounds):
            seconds = sum(
                file.mean if "::" in test else file.seconds for test in asked for file in near if test.startswith(file.test)
            )
            status, said = copy.tested(asked, LIMIT + FACTOR * seconds)
            if status == NO_SUCH_TEST and "not found" in said:  # a test whose name is another one at each run
                status, said = copy.tested([file.test for file in near], LIMIT + FACTOR * sum(file.seconds for file in near))
            if status != 0:
                return "too long" if status is None else "killed"
    finally:
        copy.write(mutant.path, mutant.source)
    return "survived"


def _key(mutant: Mutant, tests: list[str]) -> str:
    return hashlib.sha256("\0".join([mutant.path, mutant.changed, *tests]).encode()).hexdigest()


def accepted() -> list[dict[str, str]]:
    """Mutants that do what the source does, with the reason. SystemExit where a line is no longer there."""
    rows: list[dict[str, str]] = tomllib.loads((HERE / "accepted.toml").read_text(encoding="utf-8"))["accepted"]
    for row in rows:
        lines = {line.strip() for line in (ROOT / row["file"]).read_text(encoding="utf-8").splitlines()}
        if not lines.issuperset(row["before"].split(" | ")):
            raise SystemExit(f"accepted.toml: {row['file']} has no line {row['before']!r}")
    return rows


def reason(mutant: Mutant, rows: list[dict[str, str]]) -> str:
    """Why a mutant is accepted; "" if it is not."""
    before, after = mutant.lines
    fitting = (
        row["reason"] for row in rows if (row["file"], row["before"]) == (mutant.path, before) and row["after"] in {after, "*"}
    )
    return next(fitting, "")


def table(found: dict[Mutant, str], rows: list[dict[str, str]]) -> str:
    """A line to each file: how many mutants there were, were killed, live, and are accepted; and how many of the rest were killed."""
    lines = [f"{'file':44} mutants  killed  living  accepted  killed %"]
    for path in [*sorted({mutant.path for mutant in found}), ""]:
        mine = [mutant for mutant in found if mutant.path == path or not path]
        living = [mutant for mutant in mine if found[mutant] == "survived"]
        equal = sum(bool(reason(mutant, rows)) for mutant in living)
        share = _share(len(mine), len(living), equal)
        numbers = f"{len(mine):7} {len(mine) - len(living):7} {len(living) - equal:7} {equal:9} {100 * share:9.1f}"
        lines.append(f"{path.removeprefix('src/chainrule/') or 'all':44} {numbers}")
    return "\n".join(lines)


def _share(total: int, living: int, equal: int) -> float:
    return (total - living) / (total - equal) if total > equal else 1.0


def main() -> int:
    """The status of the process: 1 if fewer were killed than must be."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--size", type=int, default=200)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked.add_argument("--only", default="", help="files with this in their names")
    options = asked.parse_args()
    tests = {path: near for path, near in nearest().items() if options.only in path}
    rows = accepted()
    found = outcomes(drawn(tests, options.size, options.seed), tests, options.processes)

    living = [mutant for mutant, outcome in found.items() if outcome == "survived" and not reason(mutant, rows)]
    print("\n" + table(found, rows))
    for mutant in living:
        before, after = mutant.lines
        print(f"\n{mutant.diff}\n[[accepted]]\nfile = {mutant.path!r}\nbefore = {before!r}\nafter = {after!r}")
    equal = sum(outcome == "survived" for outcome in found.values()) - len(living)
    return 0 if _share(len(found), len(living) + equal, equal) >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
