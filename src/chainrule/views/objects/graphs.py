"""Graphs and what they are made of: a node shows the computation that ends in it."""

from __future__ import annotations

from chainrule import display
from chainrule.graph import Graph, Node, formula
from chainrule.views.objects.parts import shown, verdict
from chainrule.views.plain import printable


@display.html.register
def node_html(node: Node) -> str:
    """Its formula and type, and the graph of what it is computed from."""
    name = node.name or "this node"
    told = f"{name}: {node.type!r}" if node.is_leaf else f"{name} = {printable(formula(node), most=120)}: {node.type!r}"
    return shown(verdict(told), display.ask(display.svg, Graph({"result": node})))
