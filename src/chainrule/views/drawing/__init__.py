"""Our own layered drawings of graphs, without Graphviz."""

from chainrule.checks import answering
from chainrule.views.drawing.graph_drawing import Drawing, draw_graph, open_enough
from chainrule.views.drawing.layered import Layout, Spacing, layered
from chainrule.views.drawing.layers import Frames
from chainrule.views.drawing.passes import draw_passes

__all__ = ["Drawing", "Frames", "Layout", "Spacing", "draw_graph", "draw_passes", "layered", "open_enough"]

answering(globals())
