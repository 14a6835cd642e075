"""Convolution, pooling, normalisation and residual layers: the battery, then values and gradients against JAX, NumPy and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
from jax import lax
from nn_judges import check_layer, first_values, run

from chainrule.derivatives import grad
from chainrule.errors import OptionError, OptionTypeError, ShapeError
from chainrule.graph import compute, constant, input_node
from chainrule.nn import (
    AveragePool,
    Conv1D,
    Conv2D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    GlobalAveragePool,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    Reshape,
    Residual,
    Sequential,
    Uniform,
    UpSample,
    build_network,
    building,
    summary,
)
from chainrule.nn.padding import folded, padded
from chainrule.ops import multiply
from chainrule.ops import sum as add_up

jax.config.update("jax_enable_x64", True)
RANDOM = np.random.default_rng(0)
SOME = Uniform(-1.0, 1.0)

BATTERY = {
    "conv": (Conv2D(3, 2, "tanh", biases=SOME), (4, 3, 2), (3, 2, 3), "conv1"),
    "conv strided": (Conv2D(2, (3, 2), stride=(2, 1), padding="same", biases=SOME), (5, 4, 2), (3, 4, 2), "conv1"),
    "conv periodic": (Conv2D(2, 3, "sigmoid", padding="periodic"), (4, 3, 1), (4, 3, 2), "conv1"),
    "conv reflect": (Conv2D(2, 3, padding="reflect", name="mirror"), (4, 3, 1), (4, 3, 2), "mirror"),
    "conv dilated": (Conv2D(2, 2, dilation=2, bias=False), (4, 4, 1), (2, 2, 2), "conv1"),
    "conv in groups": (Conv2D(4, 2, groups=2, biases=SOME), (3, 3, 4), (2, 2, 4), "conv1"),
    "conv along one axis": (Conv1D(3, 4, "tanh", stride=2, padding="periodic"), (6, 2), (3, 3), "conv1"),
    "conv transposed": (ConvTranspose2D(2, 3, "tanh", stride=2, biases=SOME), (2, 3, 2), (5, 7, 2), "conv_transpose1"),
    "conv transposed same": (ConvTranspose2D(2, 3, stride=(2, 1), padding="same"), (2, 3, 1), (4, 3, 2), "conv_transpose1"),
    "conv transposed with gaps": (ConvTranspose2D(1, 1, stride=2, padding="same"), (2, 2, 1), (4, 4, 1), "conv_transpose1"),
    "conv transposed in groups": (
        ConvTranspose2D(4, 2, "tanh", groups=2, biases=SOME),
        (2, 2, 2),
        (3, 3, 4),
        "conv_transpose1",
    ),
    "conv transposed periodic": (
        ConvTranspose2D(2, 3, dilation=2, padding="periodic"),
        (5, 4, 1),
        (5, 4, 2),
        "conv_transpose1",
    ),
    "conv transposed reflect": (ConvTranspose1D(2, 4, padding="reflect"), (5, 1), (5, 2), "conv_transpose1"),
    "conv transposed along one axis": (ConvTranspose1D(3, 4, "tanh", stride=2), (3, 2), (8, 3), "conv_transpose1"),
    "max pool": (MaxPool(2), (4, 5, 2), (2, 2, 2), "max_pool1"),
    "max pool overlapping": (MaxPool((3, 2), stride=1), (4, 4, 2), (2, 3, 2), "max_pool1"),
    "max pool of a row": (MaxPool(2), (6, 2), (3, 2), "max_pool1"),
    "average pool": (AveragePool((2, 1)), (4, 3, 2), (2, 3, 2), "average_pool1"),
    "average pool overlapping": (AveragePool(2, stride=1), (3, 3, 1), (2, 2, 1), "average_pool1"),
    "max pool over the edge": (MaxPool(3, stride=2, padding="same"), (4, 5, 2), (2, 3, 2), "max_pool1"),
    "max pool side by side over the edge": (MaxPool(2, padding="same"), (3, 3, 1), (2, 2, 1), "max_pool1"),
    "average pool over the edge": (AveragePool((2, 3), padding="same"), (5, 4, 2), (3, 2, 2), "average_pool1"),
    "average pool of a ring": (AveragePool(3, stride=1, padding="periodic"), (5, 2), (5, 2), "average_pool1"),
    "global max": (GlobalMaxPool(), (2, 3, 2), (2,), "global_max_pool1"),
    "global average": (GlobalAveragePool(), (2, 3, 2), (2,), "global_average_pool1"),
    "up sample": (UpSample((2, 3)), (2, 2, 2), (4, 6, 2), "up_sample1"),
    "reshape": (Reshape((2, 3)), (6,), (2, 3), "reshape1"),
    "layer norm": (LayerNorm(gains=SOME, biases=SOME), (5,), (5,), "layer_norm1"),
    "layer norm of channels": (LayerNorm(), (2, 2, 3), (2, 2, 3), "layer_norm1"),
    "group norm": (GroupNorm(2, gains=SOME, biases=SOME), (2, 2, 4), (2, 2, 4), "group_norm1"),
    "residual": (Residual(Conv2D(2, 3, "tanh", padding="same")), (3, 3, 2), (3, 3, 2), None),
    "nested residuals": (Residual(Residual(Dense(4, "tanh")), Dense(4)), (4,), (4,), None),
}


@pytest.mark.parametrize("case", BATTERY)
def test_battery(case):
    layer, input_shape, output_shape, name = BATTERY[case]
    assert check_layer(layer, input_shape, name=name) == output_shape


def values_and_slopes(layer, x):
    """The layer's parameters, its output, a weight for each output, and the slopes of their product by x and the parameters."""
    built = build_network(layer, x.shape[1:], batch=len(x))
    bound = first_values(built) | {built.input: x}
    weight = np.random.default_rng(3).normal(size=built.output.shape)
    parameters = {item.node.name: bound[item.node] for item in built.parameters.values()}
    wrt = [built.input, *(item.node for item in built.parameters.values())]
    slopes = grad(add_up(multiply(built.output, constant(weight))), wrt)
    found = compute([built.output, *slopes], bound)
    return parameters, found[0], weight, found[1:]


def agree(layer, x, judge, tolerance=1e-13):
    """Output and slopes are those that JAX finds for `judge(x, *parameters)`."""
    parameters, output, weight, slopes = values_and_slopes(layer, x)
    arguments = [x, *parameters.values()]

    def total(*given):
        found = judge(*given)
        return jnp.sum(found * weight), found

    by_jax = jax.jit(
        jax.grad(total, tuple(range(len(arguments))), has_aux=True)
    )  # one program is sooner compiled than one for each op
    wanted, found = by_jax(*arguments)
    np.testing.assert_allclose(output, found, rtol=0, atol=tolerance)
    for mine, theirs in zip(slopes, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=10 * tolerance)


def convolve(x, w, b, *, stride, dilation=(1, 1), groups=1, padding="VALID"):
    return b + lax.conv_general_dilated(
        x, w, stride, padding, rhs_dilation=dilation, feature_group_count=groups, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"), [((3, 2), 1, 1), (3, (2, 3), 1), (2, 1, (2, 1)), (3, 2, 2), (1, 2, 1)]
)
def test_conv_against_jax(kernel, stride, dilation, padding, groups):
    layer = Conv2D(4, kernel, stride=stride, dilation=dilation, padding=padding, groups=groups, biases=SOME)
    pairs = {"stride": stride, "dilation": dilation}
    pairs = {name: (size, size) if isinstance(size, int) else size for name, size in pairs.items()}
    x = RANDOM.normal(size=(2, 7, 6, 2))
    agree(layer, x, lambda x, w, b: convolve(x, w, b, **pairs, groups=groups, padding=padding.upper()))


@pytest.mark.parametrize(("padding", "mode"), [("periodic", "wrap"), ("reflect", "reflect"), ("same", "constant")])
@pytest.mark.parametrize(("kernel", "around"), [(3, ((1, 1), (1, 1))), ((2, 4), ((0, 1), (1, 2)))])
def test_what_stands_around_a_picture(padding, mode, kernel, around):
    x = RANDOM.normal(size=(2, 5, 4, 2))

    def judge(x, w, b):
        return convolve(jnp.pad(x, ((0, 0), *around, (0, 0)), mode=mode), w, b, stride=(1, 1))

    agree(Conv2D(3, kernel, padding=padding, biases=SOME), x, judge)
    leaf = input_node("x", x.shape)
    found = compute([padded(leaf, [(2, 3), (2, 3)], padding)], {leaf: x})[0]
    assert np.array_equal(found, np.pad(x, ((0, 0), (2, 3), (2, 3), (0, 0)), mode=mode))


def test_one_filter_against_scipy():
    picture, kernel = RANDOM.normal(size=(6, 5)), RANDOM.normal(size=(3, 3))
    for padding, judged in {"valid": ("valid", "fill"), "same": ("same", "fill"), "periodic": ("same", "wrap")}.items():
        found = run(Conv2D(1, 3, padding=padding), picture[None, ..., None], {"conv1.W": kernel[..., None, None]})
        wanted = scipy.signal.correlate2d(picture, kernel, *judged)
        np.testing.assert_allclose(found[0, ..., 0], wanted, rtol=0, atol=1e-14)
    row, taps = picture.ravel(), kernel.ravel()
    found = run(Conv1D(1, 9), row[None, :, None], {"conv1.W": taps[:, None, None]})
    np.testing.assert_allclose(found.ravel(), scipy.signal.correlate(row, taps, "valid"), rtol=0, atol=1e-13)


def test_a_lattice_closed_to_a_ring_knows_no_edge():
    """A shifted picture gives the shifted result."""
    x = RANDOM.normal(size=(1, 6, 5, 2))
    layer = Conv2D(3, 3, "tanh", padding="periodic")
    moved = run(layer, np.roll(x, (2, -1), (1, 2)))
    np.testing.assert_allclose(moved, np.roll(run(layer, x), (2, -1), (1, 2)), rtol=0, atol=1e-14)


def exchanged(w, groups):
    """Weights whose channels and filters are exchanged within each group."""
    return np.concatenate([np.swapaxes(piece, -2, -1) for piece in np.split(w, groups, -1)], -1)


@pytest.mark.parametrize("padding", ["valid", "same", "periodic", "reflect"])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "groups"),
    [(3, 1, 1, 1), ((2, 3), (2, 1), 1, 2), (3, 2, 2, 1), (2, 3, 1, 1), ((3, 2), (1, 2), (2, 1), 2)],
)
def test_transposed_conv_is_the_adjoint(kernel, stride, dilation, groups, padding):
    x, options = (
        RANDOM.normal(size=(2, 5, 6, 4)),
        {"stride": stride, "dilation": dilation, "groups": groups, "padding": padding},
    )
    rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
    w = RANDOM.normal(size=(rows, columns, 4 // groups, 6))
    up = run(ConvTranspose2D(6, kernel, **options), x, {"conv_transpose1.W": w})
    y = RANDOM.normal(size=up.shape)
    down = run(Conv2D(4, kernel, **options), y, {"conv1.W": exchanged(w, groups)})
    np.testing.assert_allclose(np.sum(up * y), np.sum(x * down), rtol=1e-11)


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [((3, 2), (1, 1), (1, 1)), ((3, 3), (2, 3), (1, 1)), ((2, 3), (2, 1), (2, 2)), ((4, 4), (2, 2), (1, 1))],
)
def test_transposed_conv_against_jax(kernel, stride, dilation, padding):
    def judge(x, w, b):
        # JAX slides the kernel over x among zeros; ours lays the kernel down, which mirrors it.
        up = lax.conv_transpose(x, jnp.flip(w, (0, 1)), stride, padding, dilation, ("NHWC", "HWIO", "NHWC"))
        return up + b

    layer = ConvTranspose2D(3, kernel, stride=stride, dilation=dilation, padding=padding.lower(), biases=SOME)
    agree(layer, RANDOM.normal(size=(2, 4, 3, 2)), judge)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 2)])
def test_transposed_conv_in_groups_and_of_a_row_against_jax(groups, stride, dilation):
    def judge(x, w, b):
        around = [((w.shape[0] - 1) * dilation,) * 2]
        return b + lax.conv_general_dilated(
            x, jnp.flip(w, 0), (1,), around, lhs_dilation=(stride,), rhs_dilation=(dilation,), feature_group_count=groups,
            dimension_numbers=("NWC", "WIO", "NWC"),
        )  # fmt: skip

    layer = ConvTranspose1D(4, 3, stride=stride, dilation=dilation, groups=groups, biases=SOME)
    agree(layer, RANDOM.normal(size=(2, 5, 2)), judge)


@pytest.mark.parametrize("padding", ["same", "periodic", "reflect"])
def test_folding_is_the_adjoint_of_padding(padding):
    x, y = RANDOM.normal(size=(2, 5, 4, 1)), RANDOM.normal(size=(2, 8, 9, 1))
    small, large = input_node("x", x.shape), input_node("y", y.shape)
    amounts = [(1, 2), (3, 2)]
    wide, narrow = compute([padded(small, amounts, padding), folded(large, amounts, padding)], {small: x, large: y})
    np.testing.assert_allclose(np.sum(wide * y), np.sum(x * narrow), rtol=1e-12)


@pytest.mark.parametrize(("size", "stride"), [(2, None), (3, 2), ((3, 2), 1), ((2, 5), (3, 2)), (4, None)])
def test_pools_over_the_edge_against_jax(size, stride):
    x = RANDOM.permutation(2 * 6 * 7 * 2).reshape(2, 6, 7, 2) * 0.1 - 9.0
    window = (size, size) if isinstance(size, int) else size
    steps = window if stride is None else (stride, stride) if isinstance(stride, int) else stride

    def reduced(x, start, how):
        return lax.reduce_window(x, start, how, (1, *window, 1), (1, *steps, 1), "SAME")

    agree(MaxPool(size, stride, "same"), x, lambda x: reduced(x, -jnp.inf, lax.max), 1e-15)
    counted = lambda x: reduced(x, 0.0, lax.add) / reduced(jnp.ones_like(x), 0.0, lax.add)  # noqa: E731
    agree(AveragePool(size, stride, "same"), x, counted, 1e-13)


def test_a_pool_of_a_ring_and_of_mirrors():
    row = np.array([[[1.0], [2.0], [4.0], [8.0]]])
    mean = run(AveragePool(3, 1, "periodic"), row).ravel()
    np.testing.assert_allclose(mean, [11 / 3, 7 / 3, 14 / 3, 13 / 3], rtol=1e-15)
    assert run(MaxPool(3, 1, "reflect"), row).ravel().tolist() == [2, 4, 8, 8]


def test_paddings_that_change_nothing_leave_no_trace():
    """A window that fits gives the very graph of "valid"."""
    for pool in (MaxPool, AveragePool):
        graphs = [str(build_network(pool(2, padding=padding), (4, 6, 1)).graph) for padding in ("valid", "same", "periodic")]
        assert len(set(graphs)) == 1


@pytest.mark.parametrize(("size", "stride"), [(2, None), (2, 1), ((3, 2), (1, 2)), (1, 2)])
def test_pools_against_jax(size, stride):
    x = RANDOM.permutation(2 * 6 * 7 * 2).reshape(2, 6, 7, 2) * 0.1
    window = (size, size) if isinstance(size, int) else size
    steps = window if stride is None else (stride, stride) if isinstance(stride, int) else stride

    def reduced(x, start, how):
        return lax.reduce_window(x, start, how, (1, *window, 1), (1, *steps, 1), "VALID")

    agree(MaxPool(size, stride), x, lambda x: reduced(x, -jnp.inf, lax.max), 1e-15)
    agree(AveragePool(size, stride), x, lambda x: reduced(x, 0.0, lax.add) / np.prod(window), 1e-13)


def test_equal_numbers_in_a_window_share_the_gradient():
    *_, weight, (slope,) = values_and_slopes(MaxPool(2), np.ones((1, 2, 2, 1)))
    assert np.array_equal(slope, np.full((1, 2, 2, 1), weight.item() / 4))


def test_global_pools_and_upsampling():
    x = RANDOM.normal(size=(2, 3, 4, 2))
    assert np.array_equal(run(GlobalMaxPool(), x), x.max((1, 2)))
    np.testing.assert_allclose(run(GlobalAveragePool(), x), x.mean((1, 2)), rtol=1e-14)
    assert np.array_equal(run(UpSample((2, 3)), x), x.repeat(2, 1).repeat(3, 2))
    assert np.array_equal(run(MaxPool(2), run(UpSample(2), x)), x)


def test_norms_against_closed_forms():
    x = RANDOM.normal(3.0, 2.0, size=(3, 4, 2, 6))

    def even(x, axes):
        return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-3)

    gain, b = RANDOM.normal(size=(2, 6))
    found = run(LayerNorm(1e-3), x, {"layer_norm1.gain": gain, "layer_norm1.b": b})
    np.testing.assert_allclose(found, gain * even(x, -1) + b, rtol=0, atol=1e-13)
    found = run(GroupNorm(2, 1e-3), x, {"group_norm1.gain": gain, "group_norm1.b": b})
    apart = even(x.reshape(3, 4, 2, 2, 3), (1, 2, 4)).reshape(x.shape)
    np.testing.assert_allclose(found, gain * apart + b, rtol=0, atol=1e-13)


def test_residual_adds_what_goes_in():
    x = RANDOM.normal(size=(3, 4))
    built = build_network(Residual(Dense(4, "tanh"), name="loop"), (4,))
    assert built.output.name == "loop.a"
    assert list(built.parameters) == ["dense1.W", "dense1.b"]
    assert np.array_equal(run(Residual(Dense(4)), x, {"dense1.W": np.zeros((4, 4))}), x)


def test_names_parameters_and_table():
    net = Sequential(Reshape((28, 28, 1)), Conv2D(16, 5, "relu"), MaxPool(2), Conv2D(32, 5, "relu"), input_shape=(784,))
    built = build_network(net, (784,))
    assert {name: item.node.shape for name, item in built.parameters.items()} == {
        "conv1.W": (5, 5, 1, 16), "conv1.b": (16,), "conv2.W": (5, 5, 16, 32), "conv2.b": (32,),
    }  # fmt: skip
    assert built.output.name == "conv2.a"
    assert built.output.inputs[0].name == "conv2.z"
    assert [row.parameters for row in summary(net).rows] == [0, 416, 0, 12832]
    assert summary(net).rows[1].range == "[0, ∞)"


def test_equal_layers_are_equal_however_they_are_written():
    assert Conv2D(3, (2, 2), stride=[1, 1]) == Conv2D(3, 2)
    assert repr(Conv2D(3, (2, 2), "relu", padding="same", name="c")) == "Conv2D(3, 2, 'relu', padding='same', name='c')"
    assert hash(MaxPool([2, 1])) == hash(MaxPool((2, 1)))


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: Conv2D(0, 3), OptionError, "filters=0"),
        (lambda: Conv2D(3, 0), OptionError, "kernel=0"),
        (lambda: Conv2D(3, (1, 2, 3)), OptionError, "one whole number, or a pair"),
        (lambda: Conv2D(3, 2, padding="periodik"), OptionError, "periodic"),
        (lambda: Conv2D(3, 2, groups=2), OptionError, "3 filters in 2 groups"),
        (lambda: Conv1D(3, "5"), OptionTypeError, "kernel='5'"),
        (lambda: ConvTranspose2D(3, 2, padding="full"), OptionError, "'valid', 'same'"),
        (lambda: ConvTranspose1D(3, (2, 2)), OptionError, "kernel"),
        (lambda: ConvTranspose2D(3, 2, groups=2), OptionError, "3 filters in 2 groups"),
        (lambda: AveragePool(2, padding="sane"), OptionError, "same"),
        (lambda: Conv2D(3, 2, "rellu"), OptionError, "relu"),
        (lambda: MaxPool(()), OptionError, "size"),
        (lambda: MaxPool(2, -1), OptionError, "stride"),
        (lambda: LayerNorm(0.0), OptionError, "epsilon"),
        (lambda: GroupNorm(0), OptionError, "groups=0"),
        (Residual, OptionError, "nothing"),
        (lambda: Reshape((2, 0)), OptionError, "shape"),
    ],
)
def test_bad_options_are_refused(make, error, told):
    with pytest.raises(error, match=told):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "told"),
    [
        (Conv2D(3, 2), (4,), "Reshape"),
        (Conv2D(3, 5), (4, 4, 1), "window of"),
        (Conv2D(4, 2, groups=2), (4, 4, 3), "groups"),
        (Conv2D(3, 5, padding="reflect"), (2, 9, 1), "at most 1"),
        (Conv2D(3, 9, padding="periodic"), (2, 9, 1), "at most 2"),
        (Conv1D(3, 2), (4, 4, 1), "length"),
        (ConvTranspose1D(3, 2), (4, 4, 1), "length"),
        (ConvTranspose2D(4, 2, groups=2), (4, 4, 3), "groups"),
        (ConvTranspose2D(3, 9, padding="periodic"), (3, 9, 1), "at most 3"),
        (MaxPool(3), (2, 4, 1), "window of"),
        (MaxPool((2, 2)), (4, 1), "2 sizes"),
        (GlobalMaxPool(), (4,), "space"),
        (GroupNorm(2), (4, 3), "groups"),
        (Residual(Dense(3)), (4,), "both are added"),
        (Reshape((3, 2)), (5,), "examples of 6 numbers"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shape, told):
    with pytest.raises(ShapeError, match=told), building():
        layer(input_node("x", (2, *shape)))
