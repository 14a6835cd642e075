"""Sentences on data and on networks, as reports, notebooks and terminals say them alike."""

from __future__ import annotations

from chainrule.checks import answering
from chainrule.data import DatasetInfo
from chainrule.nn import Objective, Summary
from chainrule.nn.summary import SummaryRow, told_count
from chainrule.numerals import spaced
from chainrule.views.plain import counted, printable, shape_text


def data_text(data: DatasetInfo, objective: Objective | None = None) -> str:
    """The data in one sentence: how many examples in each part, and what goes in and out.

    objective: what is minimised, where that is known: behind the numbers to fit it may want their errors, or a weight.

    >>> from chainrule.data import moons
    >>> data_text(moons().info)
    'moons: 200 training, 200 test examples; inputs of 2 numbers; 2 classes (upper, lower)'
    """
    parts = ", ".join(f"{spaced(count)} {part}" for part, count in data.parts.items())
    inputs = "×".join(map(str, data.input_shape)) + (" number" if data.input_shape == (1,) else " numbers")
    if data.classes is None:
        size, beside = (data.target_size, "") if objective is None else (objective.compared(data.target_size), objective.beside)
        out = f"{counted(size, 'number')} to fit{f', with {beside}' * bool(beside)}"
    else:
        named = f" ({', '.join(printable(name, most=20) for name in data.classes)})" if len(data.classes) <= 10 else ""
        out = f"{len(data.classes)} classes{named}"
    return f"{printable(data.name)}: {parts} examples; inputs of {inputs}; {out}"


def layer_cells(row: SummaryRow) -> tuple[str, str, str, str, str, str]:
    """What a table of a network says of a layer: name, what it does, input, output, parameters, range."""
    count = "shared" if row.shared and not row.parameters else told_count(row.parameters, row.frozen)
    return row.name, row.description, shape_text(row.input), shape_text(row.output), count, row.range


def network_total(network: Summary) -> str:
    """The parameters and the layers of a network counted.

    >>> from chainrule.nn import parse_network, summary
    >>> network_total(summary(parse_network("2-3-1"), (2,)))
    '13 parameters = 9 weights + 4 biases; 2 layers (the input is not counted as one)'
    """
    parts = f"{counted(network.weights, 'weight')} + {counted(network.biases, 'bias', 'biases')}"
    layers = f"{counted(network.layers, 'layer')} (the input is not counted as one)"
    frozen = f"; {spaced(network.frozen)} more are frozen" if network.frozen else ""
    return f"{counted(network.total, 'parameter')} = {parts}{frozen}; {layers}"


__all__ = ["data_text", "layer_cells", "network_total"]

answering(globals())
