"""Drawings of graphs: what is drawn is what runs, whatever is folded; and forward and backward side by side."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.show import show
from chainrule.derivatives import grad
from chainrule.errors import GraphError, MissingFileError, OptionError, ShapeError
from chainrule.graph import Graph, compute, constant, input_node, parameter, scope, scope_root
from chainrule.nn import build_network, parse_network
from chainrule.ops import sum as total
from chainrule.ops import tanh
from chainrule.views.drawing import draw_graph, draw_passes, open_enough
from chainrule.views.drawing.across import mirrored
from chainrule.views.drawing.lettering import notation, value_text


def twice():
    """b = a + a, c = b + b."""
    a = input_node("a")
    b = a + a
    return Graph({"c": b + b})


def small_network():
    return Graph({"output": build_network(parse_network("2-4-3-1"), (2,)).output})


def small_cost():
    """The cost of 2-4-3-1 for one example, with a scope of its own."""
    output = build_network(parse_network("2-4-3-1"), (2,)).output
    with scope("loss"):
        difference = output - input_node("y", (1, 1))
        return Graph({"C": total(difference * difference).named("C")})


def unrolled(steps=12):
    """h = tanh(x W + h U), step by step, with the same W and U."""
    W, U, h = parameter("W", (3, 4)), parameter("U", (4, 4)), input_node("h0", (1, 4))
    for step in range(1, steps + 1):
        with scope(f"step{step}"):
            h = tanh(input_node(f"x{step}", (1, 3)) @ W + h @ U).named(f"h{step}")
    return Graph({"h": h})


@pytest.fixture(scope="module")
def step():
    data = cr.data.Dataset("t", cr.data.Examples(np.zeros((64, 784)), np.arange(64) % 10), classes=tuple("0123456789"))
    return cr.fit("784-16-16-10", data, epochs=1, optimizer=cr.Adam(), batch_size=32).graph("step")


def uses(graph):
    """Every use of a node by another as (number, number, slot), from 1 in topological order."""
    number = {node: place for place, node in enumerate(graph.nodes, start=1)}
    return sorted((number[source], number[node], slot) for node in graph.nodes for slot, source in enumerate(node.inputs))


def drawn(svg):
    """Numbers of nodes and uses (number, number, slot) as the marks of an SVG have them."""
    marks = list(ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"))
    nodes = [place for mark in marks if (place := mark.get("data-box")) and not place.startswith("folded")]
    edges = [use for mark in marks if (place := mark.get("data-edge")) for use in place.split(", ")]
    return (
        sorted(int(number) for place in nodes for number in place.split()),
        sorted(tuple(map(int, use.split())) for use in edges),
    )


def words(svg):
    return [text.text for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


# ---- drawn = executed


@pytest.mark.parametrize("make", [twice, small_network, small_cost, unrolled])
def test_unfolded_the_drawn_graph_is_the_graph(make):
    graph = make()
    nodes, edges = drawn(draw_graph(graph, unfold="all").svg())
    assert nodes == list(range(1, len(graph.nodes) + 1))
    assert edges == uses(graph)


def test_unfolded_a_training_step_is_drawn_whole(step):
    nodes, edges = drawn(draw_graph(step, unfold="all").svg())
    assert nodes == list(range(1, len(step.nodes) + 1))
    assert edges == uses(step)


@pytest.mark.parametrize("unfold", [(), ("loss",), ("grad",), ("grad/dense1", "dense2"), "all"])
@pytest.mark.parametrize("constants", ["drawn", "inside"])
def test_no_node_and_no_use_between_boxes_is_lost_by_folding(step, unfold, constants):
    folded = draw_graph(step, unfold=unfold, constants=constants).folded
    homes = {}
    for place, box in enumerate(folded.boxes):
        for node in box.nodes:
            homes.setdefault(node, set()).add(place)
    assert homes.keys() == set(step.nodes)
    assert constants == "inside" or all(len(places) == 1 for places in homes.values())
    wanted = {(node, slot) for node in step.nodes for slot, source in enumerate(node.inputs) if not homes[source] & homes[node]}
    found = [use for arrow in folded.arrows for use in arrow.uses]
    assert set(found) == wanted
    assert len(found) == len(set(found))


def test_b_is_a_plus_a_has_double_edges_and_numbers():
    picture = draw_graph(twice())
    assert picture.arrays()["edges"].tolist() == [[0, 1], [0, 1], [1, 2], [1, 2]]
    assert picture.arrays()["rank"].tolist() == [0, 1, 2]
    assert {"a", "1", "2", "3", "→ c"} <= set(words(picture.svg()))


def test_inputs_stand_above_what_is_computed_from_them(step):
    for graph in (small_network(), unrolled(), step):
        picture = draw_graph(graph, unfold="all")
        rank, edges = picture.arrays()["rank"], picture.arrays()["edges"]
        assert np.all(rank[edges[:, 0]] < rank[edges[:, 1]])


# ---- folding


def test_scopes_fold_and_unfold_one_by_one():
    graph = small_network()
    kinds = [[box.kind for box in draw_graph(graph, unfold=unfold).folded.boxes] for unfold in ((), ("dense2",))]
    assert kinds[0] == ["input", "folded", "folded", "folded"]
    assert sorted(kinds[1]) == sorted(["input", "folded", "folded", "parameter", "parameter", "op", "op", "op", "op"])
    one = draw_graph(graph, unfold="dense2")
    assert one.folded.frames == ("dense2",)
    assert draw_graph(graph, unfold=["dense2"]).svg() == one.svg()
    assert {"dense1", "6 nodes, 2 parameters", "dense2.W"} <= set(words(one.svg()))


def test_a_nested_scope_opens_those_around_it(step):
    folded = draw_graph(step, unfold=("grad/dense1",)).folded
    assert folded.frames == ("grad", "grad/dense1")
    assert folded.parents == (-1, 0)
    assert {box.scope for box in folded.boxes if box.kind == "folded"} >= {"grad/dense2", "grad/dense3", "grad/loss", "update"}


def test_a_folded_training_step_is_small_and_without_tangles(step):
    picture = draw_graph(step)
    folded = [box.scope for box in picture.folded.boxes if box.kind == "folded"]
    assert folded == ["dense1", "dense2", "dense3", "loss", "grad", "update", "metric"]
    # dense3 and y both lead to loss, grad and metric, and all three dense layers to grad and update.
    assert picture.layout.crossings <= 2
    assert len(picture.folded.boxes) < 15


def test_the_unrolled_network_uses_one_weight_at_every_step():
    graph = unrolled()
    folded = draw_graph(graph).folded
    assert sum(box.kind == "parameter" for box in folded.boxes) == 2
    assert sum(box.kind == "folded" for box in folded.boxes) == 12
    W = next(place for place, box in enumerate(folded.boxes) if box.node.name == "W")
    assert sum(arrow.tail == W for arrow in folded.arrows) == 12
    assert draw_graph(graph).layout.crossings == 0


def test_constants_are_written_inside_where_asked():
    x = input_node("x", (3,))
    graph = Graph({"y": 1.0 - x * 0.5, "two": constant(2.0)})
    inside = draw_graph(graph, constants="inside")
    assert {"1 − ▫", "·0.5", "2"} <= set(words(inside.svg()))
    assert [box.kind for box in inside.folded.boxes] == ["input", "op", "op", "constant"]
    assert drawn(inside.svg())[0] == list(range(1, len(graph.nodes) + 1))
    assert {"1", "0.5", "2"} <= set(words(draw_graph(graph).svg()))


def test_what_a_notebook_shows_folds_by_scope(step):
    assert set(open_enough(small_network())) == {"dense1", "dense2", "dense3"}
    assert open_enough(step) == []
    assert step._repr_svg_() == draw_graph(step).svg()
    assert small_network()._repr_svg_() == draw_graph(small_network(), unfold="all").svg()


def test_a_graph_too_large_for_a_notebook_says_so():
    x = input_node("x")
    for _ in range(401):
        x = tanh(x)
    assert "draw_graph(graph)" in Graph({"y": x})._repr_svg_()


# ---- what is written


@pytest.mark.parametrize("direction", ["down", "right"])
def test_numbers_and_values_stand_on_nodes(direction):
    graph = twice()
    (b, c) = compute(graph.nodes[1:], {graph.nodes[0]: np.float64(3.0)})
    picture = draw_graph(
        graph,
        numbers={node: 10 * place for place, node in enumerate(graph.nodes)},
        values=dict(zip(graph.nodes[1:], (b, c), strict=True)),
        direction=direction,
    )
    assert {"0", "10", "20", "= 6", "= 12"} <= set(words(picture.svg()))


def test_values_of_many_numbers_are_summed_up():
    assert value_text(np.array([1.0, -2.5])) == "= [1, −2.5]"
    assert value_text(np.arange(-6.0, 6.0)) == "mean −0.5, largest 6"


def test_signs_of_ops():
    x = input_node("x", (2, 2))
    p = x > 0.0
    assert [notation(node) for node in (x - x, tanh(x), -x, x @ x, p)] == ["−", "tanh", "−", "matmul", ">"]


def test_every_kind_is_in_the_legend_and_only_those():
    picture = words(draw_graph(small_network(), unfold="dense1").svg())
    assert {"input", "parameter", "op", "folded scope"} <= set(picture)
    assert "constant" not in picture


def test_hostile_and_long_names_come_out_as_text():
    hostile = '<script>alert(1)<"&\u202e\x00$' + "x" * 500
    long = "W" * 400
    x = parameter(long, (2,))
    with scope_root(hostile):
        y = tanh(x * 2.0)
    for unfold in ((), "all"):
        picture = draw_graph(Graph({"y" * 300: y}), unfold=unfold)
        svg = picture.svg()
        ET.fromstring(svg)
        assert "<script" not in svg
        assert "\u202e" not in svg
        assert "\x00" not in svg
        assert max(map(len, words(svg))) < 120
        assert picture.layout.width < 600
        assert long in svg  # the whole name is there when the pointer rests on the box


def test_the_svg_knows_light_and_dark_and_has_a_name(step):
    svg = draw_graph(step).svg()
    name = f"Graph of {len(step.nodes)} nodes, {len(draw_graph(step).folded.boxes)} boxes"
    assert "prefers-color-scheme:dark" in svg
    assert ET.fromstring(svg).find("{http://www.w3.org/2000/svg}title").text == name
    assert draw_graph(step).reading in " ".join(filter(None, words(svg)))
    assert not re.search(r"\bnan\b|Infinity", svg)


def test_save_writes_the_svg(tmp_path):
    picture = draw_graph(twice())
    assert picture.save(tmp_path / "a.svg").read_text(encoding="utf-8") == picture.svg() == picture._repr_svg_()
    with pytest.raises(OptionError, match=r"\.gif"):
        picture.save(tmp_path / "a.gif")
    with pytest.raises(MissingFileError, match="nowhere"):
        picture.save(tmp_path / "nowhere" / "a.svg")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"unfold": "dense9"}, "dense1, dense2, dense3"),
        ({"direction": "up"}, "direction='up'"),
        ({"constants": "away"}, "constants='away'"),
    ],
)
def test_wrong_options_are_named(options, complaint):
    with pytest.raises(OptionError, match=complaint):
        draw_graph(small_network(), **options)


def test_a_graph_of_nothing_is_drawn():
    ET.fromstring(draw_graph(Graph({})).svg())


def test_the_command_draws_what_it_shows(tmp_path):
    path = tmp_path / "graph.svg"
    found = CliRunner().invoke(show, ["2-4-3-1", "--stage", "graph", "--raw", "--svg", str(path)])
    assert "drawn into" in found.output
    assert drawn(path.read_text(encoding="utf-8"))[1] == uses(small_network())
    assert isinstance(CliRunner().invoke(show, ["2-3", "--svg", str(path)]).exception, OptionError)


# ---- forward and backward


def test_both_passes_are_exactly_what_runs():
    graph = small_cost()
    picture = draw_passes(graph, "C", constants="drawn")
    nodes, edges = drawn(picture.svg())
    gradients = grad(graph.outputs["C"], graph.parameters)
    both = Graph({"C": graph.outputs["C"], **{f"g{i}": g for i, g in enumerate(gradients)}})
    assert nodes == list(range(1, len(both.nodes) + 1))
    assert len(edges) == len(uses(both))
    # The same ops on the same inputs: the text of the graph in the order of the drawn numbers.
    drawn_nodes = sorted(picture.numbers, key=picture.numbers.__getitem__)
    assert [(n.op.name, n.type, n.scope) for n in drawn_nodes] == [(n.op.name, n.type, n.scope) for n in both.nodes]
    number = picture.numbers
    assert edges == sorted((number[s], number[n], slot) for n in drawn_nodes for slot, s in enumerate(n.inputs))


def test_forward_runs_down_on_the_left_and_backward_up_on_the_right():
    graph = small_cost()
    picture = draw_passes(graph, "C")
    ahead = set(graph.nodes)
    x, y = picture.layout.centres.T
    is_left = np.array([box.node in ahead for box in picture.folded.boxes])
    assert x[is_left].max() < x[~is_left].min()
    for arrow in picture.folded.arrows:
        assert is_left[arrow.tail] == is_left[arrow.head]
        assert (y[arrow.tail] < y[arrow.head]) == is_left[arrow.tail]
    assert picture.layout.boxes[0, 2] < picture.layout.boxes[1, 0]


def test_adjoints_face_their_nodes():
    graph = small_cost()
    picture = draw_passes(graph, "C")
    row = {box.node: rank for box, rank in zip(picture.folded.boxes, picture.layout.rank, strict=True)}
    box_of = {output: box.node for box in picture.folded.boxes for output in box.outputs}
    apart = [abs(row[leaf] - row[box_of[f"∂C/∂{leaf.name}"]]) for leaf in graph.parameters]
    # All but one of the biases, since its frame cannot reach higher.
    assert sorted(apart) == [0, 0, 0, 0, 0, 1]
    seed = next(box.node for box in picture.folded.boxes if box.kind == "constant" and not box.node.scope)
    assert abs(row[seed] - row[graph.outputs["C"]]) <= 1


def test_stored_values_are_those_that_the_backward_pass_reads():
    graph = small_cost()
    picture = draw_passes(graph, "C")
    stored = {arrow.uses[0][0].inputs[arrow.uses[0][1]].name for arrow, _ in picture.stored}
    # z for ReLU's derivative, activations and weights for the products, and the difference, which has no name.
    assert stored == {"x", "dense1.z", "dense1.a", "dense2.W", "dense2.z", "dense2.a", "dense3.W", ""}
    assert picture.svg().count('class="stored"') == len(picture.stored)
    for arrow, points in picture.stored:
        assert points[0, 0] < picture.layout.boxes[0, 2]
        assert points[-1, 0] > picture.layout.boxes[1, 0]
        (x, y) = picture.layout.centres[arrow.tail]
        assert abs(points[0, 0] - x) < 100
        assert abs(points[0, 1] - y) < 40


def test_passes_of_a_sum_of_uses_show_both_paths():
    picture = draw_passes(twice(), "c", ["a"])
    nodes, edges = drawn(picture.svg())
    assert nodes == [1, 2, 3, 4, 5, 6]
    assert edges == [(1, 2, 0), (1, 2, 1), (2, 3, 0), (2, 3, 1), (4, 5, 0), (4, 5, 1), (5, 6, 0), (5, 6, 1)]
    rank = picture.layout.rank
    assert rank.tolist()[:3] == rank.tolist()[:2:-1]  # a faces its adjoint, b its own, c the 1


def test_passes_of_a_derivative_have_one_column_for_each_all_the_same():
    x = input_node("x")
    (slope,) = grad(tanh(x) * x, [x])
    picture = draw_passes(Graph({"slope": slope}), "slope", ["x"])
    ahead = set(Graph({"slope": slope}).nodes)
    places = picture.layout.centres[:, 0]
    left = [place for box, place in zip(picture.folded.boxes, places, strict=True) if box.node in ahead]
    right = [place for box, place in zip(picture.folded.boxes, places, strict=True) if box.node not in ahead]
    assert max(left) < min(right)


def test_mirrored_twice_is_as_before():
    layout = draw_graph(small_network(), unfold="all").layout
    once, again = mirrored(layout), mirrored(mirrored(layout))
    np.testing.assert_allclose(once.centres[:, 0], layout.width - layout.centres[:, 0])
    np.testing.assert_allclose(once.boxes[:, 0], layout.width - layout.boxes[:, 2])
    for name in ("centres", "boxes"):
        np.testing.assert_allclose(getattr(again, name), getattr(layout, name), atol=1e-9)
    np.testing.assert_allclose(again.routes[3], layout.routes[3], atol=1e-9)


def test_what_passes_cannot_draw_is_named():
    graph = small_cost()
    with pytest.raises(OptionError, match="cost 'D'"):
        draw_passes(graph, "D")
    with pytest.raises(OptionError, match="leaf 'nobody'"):
        draw_passes(graph, "C", ["nobody"])
    with pytest.raises(GraphError, match="depends on none of a"):
        draw_passes(Graph({"one": constant(1.0), "a": input_node("a")}), "one", ["a"])
    with pytest.raises(ShapeError):
        draw_passes(Graph({"y": tanh(parameter("w", (2,)))}), "y")
