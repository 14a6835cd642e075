"""The floor plan: imports go down only, no cycles, nothing imported late but optional packages, and a light `import chainrule`."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import chainrule

ROOT = Path(chainrule.__file__).parent
FLOORS = {
    "descriptions": 0.3, "checks": 0.25, "errors": 0, "files": 0.5, "spelling": 0, "spelled": 0, "numerals": 0, "immutable": -0.7,
    "display": -0.5, "version": 0,
    "graph": 1, "ops": 2, "nn": 3, "derivatives": 3,
    "engines": 3, "data": 3, "trace": 4, "train": 5, "sweeps": 5.5, "doctor": 5.75, "views": 6, "interop": 6, "examples": 7, "sklearn": 7.5,
    "__init__": 8, "cli": 9, "lab": 8.5, "__main__": 10,
}  # fmt: skip
LATE_PACKAGES = {
    "rich", "click", "safetensors", "matplotlib", "mpl_toolkits", "latex2mathml", "pandas", "sklearn", "torch", "keras", "openpyxl", "onnx",
    "ray", "jax",
}  # fmt: skip
"""Packages that may be imported inside a function, so that who does not need them does not load them, or in a try that says so."""
LATE_ENGINES = {
    ("engines.choice", ".engines.native.engine"),
    ("engines.choice", ".engines.xla.engine"),
    ("__init__", ".views"),
    ("__init__", ".views.pictures"),
    ("__init__", ".examples"),
    ("views.figures.figure", ".views.figures.shown"),
    ("views.notebook", ".views.progress"),
}
"""What is loaded when it is first asked for: engines, above all floors the views, and what is made of an optional package's classes."""
NEVER_LOADED = {
    "llvmlite",
    "rich",
    "click",
    "safetensors",
    "scipy",
    "pandas",
    "jax",
    "sklearn",
    "matplotlib",
    "latex2mathml",
    "onnx",
    "torch",
    "tensorboard",
    "mlflow",
    "wandb",
    "huggingface_hub",
}


@dataclass(frozen=True)
class Import:
    """One import of one module: where it stands, what it names, and whether it is inside a function or a condition."""

    module: str
    line: int
    target: str
    late: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def modules(root: Path) -> dict[str, Path]:
    """Module names, relative to the package, with their files: `graph.node`, `graph` (its __init__), `errors`, `__init__`."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)] = path
    return found


@dataclass(frozen=True)
class Source:
    """What the tests ask of a file: its docstring, its imports, each with whether it is late, and where generators keep an error state."""

    docstring: str | None
    imports: tuple[tuple[ast.Import | ast.ImportFrom, bool], ...]
    stops: list[int]


@cache
def source(path: Path) -> Source:
    """Reads a file, once for all tests."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = set(map(id, tree.body))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    late = tuple((node, id(node) not in top) for node in found)
    return Source(ast.get_docstring(tree), late, yields_under_error_states(tree))


def imports(root: Path, package: str) -> Iterator[Import]:
    """Every import statement of every module, own modules by their relative names (`.graph.node`), others by their root."""
    known = modules(root)
    for module, path in known.items():
        for node, late in source(path).imports:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                base = node.module or ""
                if node.level:
                    folder = path.parent.relative_to(root).parts
                    base = ".".join([package, *folder[: len(folder) - node.level + 1], *([base] if base else [])])
                names = [f"{base}.{alias.name}" for alias in node.names]
            for name in names:
                yield Import(module, node.lineno, own(name, package, known) or name.partition(".")[0], late)


def own(name: str, package: str, known: dict[str, Path]) -> str:
    """`.graph.node` for a name in the module graph.node of the package; empty for what is not of the package."""
    if name.partition(".")[0] != package:
        return ""
    relative = name.split(".")[1:]
    while relative and ".".join(relative) not in known:
        relative.pop()
    return "." + (".".join(relative) or "__init__")


def part(module: str) -> str:
    return module.lstrip(".").partition(".")[0]


def violations(root: Path, package: str) -> list[str]:
    """Everything about a tree that the floor plan forbids."""
    found = list(imports(root, package))
    wrong = [f"{module} has no floor" for module in modules(root) if part(module) not in FLOORS]
    if wrong:
        return wrong
    for item in found:
        here, there = part(item.module), part(item.target)
        if not item.target.startswith("."):
            if item.late and item.target not in LATE_PACKAGES and item.target not in sys.stdlib_module_names:
                wrong.append(f"{item}: late")
            continue
        if item.late and (item.module, item.target) not in LATE_ENGINES:
            wrong.append(f"{item}: late")
        if here != there and FLOORS[there] >= FLOORS[here] and not (FLOORS[here] == 8 and part(item.target) != "__main__"):
            wrong.append(f"{item}: not downwards")
    return wrong + [f"cycle: {' -> '.join(cycle)}" for cycle in cycles(found)]


def cycles(found: list[Import]) -> list[list[str]]:
    """Rings of modules that import each other (a package's __init__ counts as a module of its own)."""
    edges: dict[str, set[str]] = {}
    for item in found:
        if item.target.startswith("."):
            edges.setdefault(item.module, set()).add(item.target[1:])
    rings, finished = [], set()

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            rings.append([*path[path.index(module) :], module])
        elif module not in finished:
            for target in sorted(edges.get(module, ())):
                visit(target, [*path, module])
            finished.add(module)

    for module in sorted(edges):
        visit(module, [])
    return rings


def test_imports_go_down_only_without_cycles_and_none_is_late() -> None:
    assert violations(ROOT, "chainrule") == []


def test_the_whole_package_was_read() -> None:
    names = set(modules(ROOT))
    assert {"errors", "graph", "graph.node", "ops.elementwise", "derivatives.reverse", "__init__"} <= names
    assert len(names) == len(list(ROOT.rglob("*.py")))
    found = list(imports(ROOT, "chainrule"))
    assert any(item.module == "derivatives.reverse" and item.target == ".ops" for item in found)
    assert any(item.module == "graph.node" and item.target == ".graph.types" for item in found)


def test_the_core_imports_numpy_and_the_standard_library_only() -> None:
    core = [
        item
        for item in imports(ROOT, "chainrule")
        if part(item.module) in {"errors", "spelling", "graph", "ops", "derivatives"}
    ]
    others = {item.target for item in core if not item.target.startswith(".")} - set(sys.stdlib_module_names)
    assert others == {"numpy"}


MODULES = modules(ROOT)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_in_one_docstring_what_it_is(module: str) -> None:
    assert source(MODULES[module]).docstring


LOADED = "import json, sys, chainrule; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
BARE = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def roots(program: str) -> set[str]:
    run = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(run.stdout))


def yields_under_error_states(tree: ast.AST) -> list[int]:
    """The lines at which a generator stops while NumPy's error state is changed."""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.With) and "errstate" in ast.unparse(node.items[0])]
    return [inner.lineno for block in blocks for inner in ast.walk(block) if isinstance(inner, ast.Yield | ast.YieldFrom)]


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_generator_keeps_an_error_state_of_numpy(path: Path) -> None:
    # Two generators that end in another order than they began make NumPy free a state that is in use: the process dies, at times.
    assert not source(path).stops


def test_a_kept_error_state_is_seen() -> None:
    assert yields_under_error_states(ast.parse("with np.errstate(all='ignore'):\n    yield from f()")) == [2]


def test_importing_chainrule_loads_nothing_and_naming_its_parts_numpy_only() -> None:
    # What the interpreter has loaded by itself (an editable install brings a finder of its own) does not count.
    named = (
        "import chainrule; [getattr(chainrule, name) for name in {*dir(chainrule)} - {'views', 'pictures', 'examples'}]; "
        + LOADED
    )
    for program, expected in ((LOADED, set[str]()), (named, {"numpy"})):
        added = roots(program) - roots(BARE)
        assert {"chainrule", *expected} <= added
        assert not added & (NEVER_LOADED | ({"numpy"} - expected))
        installed = {name for name in added if name not in sys.stdlib_module_names and not name.startswith("_")}
        assert installed <= {
            "chainrule",
            "lazy_loader",
            "numpy",
            "cython_runtime",
        }  # the last is a shadow of NumPy's compiled modules


def test_what_is_loaded_is_seen() -> None:
    assert "rich" in roots("import rich; " + LOADED)


# ---- the checker itself, on small trees that break the plan

GOOD = {
    "__init__.py": "from toy.train import fit",
    "errors.py": "import math",
    "graph/__init__.py": "from toy.graph.node import Node",
    "graph/node.py": "from toy.errors import Wrong",
    "ops/__init__.py": "from toy.graph import Node",
    "nn/__init__.py": "import toy.ops\nfrom toy.ops import add",
    "derivatives/__init__.py": "from ..ops import add",
    "train/__init__.py": "from toy.train.fit import fit",
    "train/fit.py": "from toy.nn import Dense\nfrom toy.derivatives import grad\ndef f():\n    import rich\n    import json",
    "cli/__init__.py": "from toy import fit\nfrom toy.train import fit",
}
BROKEN = [
    ("upwards", {"graph/node.py": "from toy.ops import add"}, "graph.node:1 imports .ops: not downwards"),
    ("upwards, dotted", {"graph/node.py": "import toy.ops"}, "graph.node:1 imports .ops: not downwards"),
    ("upwards, relative", {"graph/node.py": "from .. import ops"}, "graph.node:1 imports .ops: not downwards"),
    ("upwards, of the package", {"graph/node.py": "from toy import ops"}, "graph.node:1 imports .ops: not downwards"),
    ("the package itself", {"train/fit.py": "import toy"}, "train.fit:1 imports .__init__: not downwards"),
    ("between sisters", {"nn/__init__.py": "from toy.derivatives import grad"}, "nn:1 imports .derivatives: not downwards"),
    ("in a function", {"train/fit.py": "def f():\n    from toy.nn import Dense"}, "train.fit:2 imports .nn: late"),
    (
        "for the type checker",
        {"train/fit.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from toy.nn import Dense"},
        "train.fit:3 imports .nn: late",
    ),
    ("in a try", {"train/fit.py": "try:\n    import toy.nn\nexcept ImportError:\n    pass"}, "train.fit:2 imports .nn: late"),
    ("a package that must not be late", {"train/fit.py": "def f():\n    import numpy"}, "train.fit:2 imports numpy: late"),
    ("a module without floor", {"utils.py": ""}, "utils has no floor"),
    (
        "a cycle in a package",
        {"graph/node.py": "from toy.graph.text import show", "graph/text.py": "from toy.graph.node import Node"},
        "cycle: graph.node -> graph.text -> graph.node",
    ),
    ("a cycle by way of __init__", {"graph/node.py": "from toy.graph import Node"}, "cycle: graph -> graph.node -> graph"),
]


def grown(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "toy"


def test_the_checker_finds_nothing_wrong_with_a_good_tree(tmp_path: Path) -> None:
    assert violations(grown(tmp_path, GOOD), "toy") == []


@pytest.mark.parametrize(("change", "complaint"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_the_checker_finds_what_breaks_the_plan(change: dict[str, str], complaint: str, tmp_path: Path) -> None:
    assert complaint in violations(grown(tmp_path, GOOD | change), "toy")
