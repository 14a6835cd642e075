"""The floors hold: imports go down only, without a cycle, none of the project's own is late, and the import is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "chainrule"
FLOORS = {
    "errors": 0, "spelling": 0, "graph": 1, "ops": 2, "nn": 3, "grad": 3, "engines": 3, "data": 3, "train": 4, "views": 5, "interop": 5,
    "": 5, "cli": 6, "lab": 6, "__main__": 7,
}  # fmt: skip


def modules(root):
    """Every module under the root: dotted name (the package itself is "") → its parsed text."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def own_imports(tree, names):
    """The project's own modules that a module imports, each with whether the import stands at the top level."""
    top = set(tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "relative import", False
                continue
            base = node.module or ""
            inner = base.removeprefix("chainrule").removeprefix(".")
            targets = [
                f"{base}.{alias.name}" if ".".join(filter(None, [inner, alias.name])) in names else base for alias in node.names
            ]
        else:
            continue
        for target in targets:
            if target == "chainrule" or target.startswith("chainrule."):
                yield target.removeprefix("chainrule").removeprefix("."), node in top


def room(name):
    return name.split(".")[0]


def violations(root):
    """Every break of the rules, in words."""
    trees = modules(root)
    graph = {}
    for name, tree in trees.items():
        graph[name] = set()
        if not ast.get_docstring(tree):
            yield f"{name or '__init__'} does not open with a sentence on what it is"
        for target, at_top in own_imports(tree, trees):
            if not at_top:
                yield f"{name} imports {target} late"
            if room(name) not in FLOORS or room(target) not in FLOORS:
                yield f"{name} or {target} stands on no floor"
            elif room(name) != room(target) and FLOORS[room(target)] >= FLOORS[room(name)]:
                yield f"{name} (floor {FLOORS[room(name)]}) imports {target} (floor {FLOORS[room(target)]})"
            if target in trees and target != name:
                graph[name].add(target)
    yield from (f"cycle: {' -> '.join(cycle)}" for cycle in cycles(graph))


def cycles(graph):
    """One path for each cycle that a depth-first walk meets."""
    state = {}

    def visit(name, path):
        state[name] = "open"
        for target in sorted(graph[name]):
            if state.get(target) == "open":
                yield [*path[path.index(target) :], target]
            elif target not in state:
                yield from visit(target, [*path, target])
        state[name] = "done"

    for name in sorted(graph):
        if name not in state:
            yield from visit(name, [name])


def test_the_floors_hold():
    assert not list(violations(SOURCE))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"graph/a.py": "from chainrule.ops import b", "ops/b.py": ""}, "graph.a (floor 1) imports ops.b (floor 2)"),
        ({"nn/a.py": "import chainrule.grad", "grad/__init__.py": ""}, "nn.a (floor 3) imports grad (floor 3)"),
        (
            {"ops/a.py": "from chainrule.ops import b", "ops/b.py": "from chainrule.ops.a import x"},
            "cycle: ops.a -> ops.b -> ops.a",
        ),
        ({"train/a.py": "def f():\n    from chainrule.nn import b", "nn/b.py": ""}, "train.a imports nn.b late"),
        ({"train/a.py": "if True:\n    import chainrule.nn", "nn/__init__.py": ""}, "train.a imports nn late"),
        ({"train/a.py": "from . import b", "train/b.py": ""}, "train.a imports relative import late"),
        ({"cellar/a.py": "from chainrule import graph", "graph/__init__.py": ""}, "cellar.a or graph stands on no floor"),
        ({"graph/a.py": "x = 1"}, "graph.a does not open with a sentence on what it is"),
    ],
)
def test_each_break_would_be_seen(tmp_path, files, said):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert said in list(violations(tmp_path))


def loaded_after(statement):
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted({{m.split('.')[0] for m in set(sys.modules) - before}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_import_loads_numpy_only():
    loaded = {
        name for name in loaded_after("import chainrule") if name not in sys.stdlib_module_names and not name.startswith("_")
    }
    assert loaded <= {"chainrule", "numpy", "cython_runtime"}  # the last is NumPy's own
    assert {"click", "rich"} <= loaded_after("import chainrule.cli")  # so that the check above can fail
