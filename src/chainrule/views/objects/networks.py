"""Networks as tables of their layers, and optimizers with the formulas by which they change a weight."""

from __future__ import annotations

from chainrule import display
from chainrule.nn import GraphLayer, Network, Sequential, Summary, summary
from chainrule.train import Optimizer
from chainrule.views.objects.general import described
from chainrule.views.objects.parts import clean_lines, heading, shown
from chainrule.views.objects.parts import table as html_table
from chainrule.views.sentences import layer_cells, network_total


@display.html.register(Sequential)
@display.html.register(Network)
@display.html.register(GraphLayer)
def network_html(network: Sequential | Network | GraphLayer) -> str:
    """A row to each layer; without the input's shape, which layers there are."""
    if network.input_shape is None:
        return shown(described(network))
    return shown(network_table(summary(network)))


@display.html.register
def table_html(found: Summary) -> str:
    """A row to each layer, then the parameters counted."""
    return shown(network_table(found))


def network_table(found: Summary) -> str:
    """The table as HTML."""
    heads = ("layer", "what it does", "input", "output", "parameters", "range")
    rows = map(layer_cells, found.rows)
    return html_table(heads, rows, numbers=(2, 3, 4)) + f'<div class="faint">{network_total(found)}</div>'


@display.html.register
def optimizer_html(optimizer: Optimizer) -> str:
    """Its numbers, and its rule as formulas."""
    lines = clean_lines("\n".join(optimizer.formulas))
    return shown(described(optimizer), heading("The rule"), f"<pre>{lines}</pre>")
