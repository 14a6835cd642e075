"""The text of a step is good for other processors too: it compiles for ARM, with its own instructions, and says where threads wait."""

import llvmlite.binding as llvm
import numpy as np
import pytest

import chainrule as cr
from chainrule.engines.native.module import Machine, Module
from chainrule.engines.native.passes import NATIVE_PASSES
from chainrule.graph import run_passes


@pytest.mark.parametrize(("text", "shared"), [("6-20-3 tanh softmax", False), ("300-600-600-3 relu softmax", True)])
def test_a_step_compiles_for_arm(text, shared):
    inputs = int(text.split("-")[0])
    data = cr.data.from_arrays(np.zeros((9, inputs), "f"), np.arange(9) % 3)
    loop = cr.train.LearningProblem(cr.parse_network(text), data.info).training_loop(cr.Adam(), {32, 9})
    graphs = {size: run_passes(graph, NATIVE_PASSES)[0] for size, graph in loop.graphs.items()}
    module = Module(graphs, loop, Machine(16, 32, "aarch64-unknown-linux-gnu"))
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(module.machine.triple)
    with llvm.create_context() as context, llvm.parse_assembly(module.text, context) as parsed:
        parsed.verify()
        assembly = target.create_target_machine(cpu="neoverse-n1", opt=1, reloc="pic").emit_assembly(parsed)
    assert "fmla" in assembly
    assert ("yield" in assembly) == shared
    assert module.is_shared_code == shared
