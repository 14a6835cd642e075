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


def rounding(network, values, x):
    """How far apart two programs in float32 may be, for each number of the output: six standard deviations.

    What is off by a share of itself does what the input or weight behind it, off by that share, would do: slope times leaf. A product by a
    weight has a rounding for itself and one for each sum that it goes through, and the functions of its layer have some, four at most, of
    two units in the last place; each rounding is even between ±2⁻²⁴, so that its variance is 4⁻²⁴/3. Independent, their variances add up.
    """
    built = build_network(network, x.shape[1:], batch=1, dtype="float64")
    items = {**built.parameters, **built.states}
    leaves = [built.input, *(item.node for item in items.values())]
    known = [np.asarray(values[name], dtype=float) for name in items]
    counts = [4 * 4**2 + int(np.prod(leaf.shape[:-1])) for leaf in leaves]
    found = []
    for place in range(size := int(np.prod(built.output.shape))):
        chosen = np.eye(1, size, place).reshape(built.output.shape)
        y = cr.ops.sum(built.output * cr.constant(chosen))
        used = [triple for triple in zip(leaves, cr.grad(y, leaves), counts, strict=True) if triple[1] is not None]
        for row in x:
            bound = dict(zip(leaves, [row[None], *known], strict=True))
            answer, *slopes = cr.compute([y, *(slope for _, slope, _ in used)], bound)
            shares = (n * np.square(slope * bound[leaf]).sum() for (leaf, _, n), slope in zip(used, slopes, strict=True))
            found.append(answer**2 + sum(shares))
    return 6 * np.sqrt(2 / 3 * np.reshape(found, (-1, len(x))).T) * 2.0**-24
