"""What networks of other libraries are held to: our outputs and gradients beside theirs, and a run that goes on."""

import numpy as np

import chainrule as cr
from chainrule.nn import build_network


def slopes_of(network, values, x, pulls):
    """Our outputs, and the gradient of their sum with weights."""
    built = build_network(network, x.shape[1:], batch=len(x), dtype="float64")
    leaves = {key: item.node for key, item in (*built.parameters.items(), *built.states.items())}
    wrt = {key: item.node for key, item in built.parameters.items()}
    pull = cr.constant(pulls.reshape(built.output.shape))
    nodes = [built.output, *cr.grad(cr.ops.sum(built.output * pull), list(wrt.values()))]
    graph = cr.Graph({f"o{place}": node for place, node in enumerate(nodes)})
    bound = {leaf: values[key] for key, leaf in leaves.items() if leaf in set(graph.nodes)} | {built.input: x}
    output, *slopes = cr.compute(nodes, bound)
    return output, dict(zip(wrt, slopes, strict=True))


def retrained(network, values, x, out):
    """A run of two steps; pictures are flattened for the loss."""
    flat = network if out.ndim < 3 else cr.Sequential(network, cr.Flatten())
    y = np.sin(np.arange(out.size)).reshape(len(out), -1)
    return cr.fit(flat, (x, y), loss="mean_squared_error", initial=(network, values), epochs=1, batch_size=3, dtype="float64")


def near(found, wanted, *, to=1e-10):
    """Equal to what rounding leaves, in float64 unless it is said."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=to * max(1.0, np.abs(wanted).max(initial=0.0)))
