"""Floor 1: nodes, graphs, their text, and passes over them."""

from chainrule.checks import answering
from chainrule.graph.body import Body
from chainrule.graph.compute import compute, evaluator
from chainrule.graph.form import form_of, frozen
from chainrule.graph.graph import Graph, check, conform, topological_order
from chainrule.graph.node import (
    CONSTANT,
    INPUT,
    LEAVES,
    PARAMETER,
    REGISTRY,
    Kind,
    Node,
    Notation,
    Op,
    Operand,
    Traits,
    as_declared,
    as_nodes,
    constant,
    input_node,
    parameter,
    scope,
    scope_root,
)
from chainrule.graph.notation import formula
from chainrule.graph.parse import parse_graph
from chainrule.graph.rewrite import Change, Pass, PassStep, dead_code, fold_constants, rewrite_nodes, run_passes, share_common
from chainrule.graph.types import Array, Shape, Type, dtype_name

__all__ = [
    "Array", "Body", "CONSTANT", "Change", "Graph", "INPUT", "Kind", "LEAVES", "Node", "Notation", "Op", "Operand", "PARAMETER",
    "Pass", "REGISTRY", "Shape", "PassStep", "Traits", "Type", "as_declared", "as_nodes", "check", "conform", "constant", "dead_code",
    "dtype_name", "compute", "evaluator", "fold_constants", "form_of", "formula", "frozen", "input_node", "parameter", "parse_graph",
    "rewrite_nodes", "run_passes", "scope", "scope_root", "share_common", "topological_order",
]  # fmt: skip

answering(globals())
