"""docs/native.md shows what the program prints."""

import re
from pathlib import Path

import chainrule as cr
from chainrule import ops
from chainrule.engines import Loop
from chainrule.engines.native.module import Machine, Module
from chainrule.engines.native.passes import NATIVE_PASSES
from chainrule.graph import Graph, input_node, parameter, run_passes

PAGE = Path(__file__).parents[3] / "docs" / "native.md"


def test_the_page_shows_what_is_printed():
    x, weight, bias = (
        input_node("x", (32, 784), "float32"),
        parameter("W", (784, 16), "float32"),
        parameter("b", (16,), "float32"),
    )
    graph, _ = run_passes(Graph({"a": ops.relu(ops.matmul(x, weight) + bias).named("a")}), NATIVE_PASSES)
    loop = Loop({32: graph}, {"x": "x"}, ("W", "b"), (), (), ("a",), in_order=True)
    module = Module({32: graph}, loop, Machine(64, 32, "x86_64-unknown-linux-gnu"))
    reader = cr.fit(cr.Sequential(cr.RNN(4), cr.Dense(2)), cr.data.recall(64, gap=3), epochs=1, batch_size=16, optimizer="sgd")
    printed = "\n".join([str(graph), module.schedule_text(), module.text, reader.lowered("schedule")])
    blocks = re.findall(r"```(?:text|llvm)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    shown = [block.rstrip("\n") for block in blocks if "zmm" not in block]
    assert len(shown) == 5
    assert [block for block in shown if block not in printed] == []
