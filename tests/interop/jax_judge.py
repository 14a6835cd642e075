"""A layer that was read from a function of JAX's beside that function: outputs, and the derivative by each array."""

import jax
import jax.numpy as jnp
import numpy as np

import chainrule as cr
from chainrule.interop.jax_functions import called


def held_to_jax(function, parameters, x, **options):
    """Reads the function, compares it with JAX on x, and gives the layer."""
    layer = cr.from_jax(function, parameters, x[:3], **options)
    built = cr.build_network(layer, x.shape[1:], batch=len(x), dtype="float32")
    leaves = {name: item.node for name, item in (*built.parameters.items(), *built.states.items())}
    learned = [item.node for item in built.parameters.values()]
    slopes = cr.grad(cr.ops.sum(cr.ops.sin(built.output)), learned)
    first = {**layer.parameters, **layer.states}
    arrays = {node: np.float32(first[name].value) for name, node in leaves.items()}
    output, *found = cr.compute([built.output, *slopes], {**arrays, built.input: x.astype(built.input.dtype)})

    def cost(p):
        made = function(p, x)
        return jnp.sum(jnp.sin(made)), made

    wanted, theirs = jax.jit(jax.grad(cost, has_aux=True, allow_int=True))(parameters)
    slopes_of_jax = {called(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(wanted)[0]}
    np.testing.assert_allclose(output, theirs, rtol=2e-5, atol=2e-6)
    assert built.parameters.keys() == slopes_of_jax.keys() - layer.states.keys()
    for name, slope in zip(built.parameters, found, strict=True):
        np.testing.assert_allclose(slope, slopes_of_jax[name], rtol=2e-4, atol=2e-5 * max(1.0, np.abs(slope).max()))
    return layer
