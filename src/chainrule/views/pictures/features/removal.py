"""What removing a neuron does: accuracy and cost with its activation held at a value, against before, on the same examples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.checks import require_place
from chainrule.errors import OptionError
from chainrule.graph import Array, Node, compute
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import Model, decide
from chainrule.views.marks import Bars, ErrorBars, Rule
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.kinds import has_hidden_neurons, suits
from chainrule.views.pictures.learning.places import CostAt, cost_at
from chainrule.views.plain import counted, printable
from chainrule.views.view import View, numbers

_PIECE = 2000
_MOST_BARS = 40


@immutable
class Effect:
    """What holding one neuron at `value` does on `total` examples.

    `lost` were right before and are wrong now, `gained` the other way round (both 0 for networks that predict numbers);
    `cost_rise` is the mean loss now minus before, `cost_error` its standard error over the examples.
    """

    neuron: int
    value: float
    lost: int
    gained: int
    total: int
    cost_rise: float
    cost_error: float

    @property
    def drop(self) -> float:
        """The fall of the accuracy: (lost − gained)/total."""
        return (self.lost - self.gained) / self.total

    @property
    def error(self) -> float:
        """The binomial standard error of the fall: only examples whose verdict changed count, √((l + g)/n − drop²)/√n."""
        changed = (self.lost + self.gained) / self.total
        return math.sqrt(max(0.0, changed - self.drop**2) / self.total)


def effects(model: Model, x: Array, y: Array, quantity: str, held: Sequence[tuple[int, float]]) -> list[Effect]:
    """For each pair (neuron, value) what holding this neuron of the quantity at the value does, everything else left alone.

    The graph is cut at the quantity: what lies before is computed once, what follows again for each pair; the numbers are those of
    `Model.ablated`. Raises: OptionError for a quantity that is not there, is the output, or belongs to a layer used several times,
    and for a neuron that it does not have.
    """
    counts = np.zeros((len(held), 2), dtype=np.int64)
    rises: list[Array] = []
    for start in range(0, len(x), _PIECE):
        at = cost_at(model, x[start : start + _PIECE], y[start : start + _PIECE])
        node = node_named(at, quantity)
        activations, right, losses = _before(at, node)
        piece: list[Array] = []
        for place, (neuron, value) in enumerate(held):
            changed = _held(activations, neuron, value, quantity)
            now_right, now_losses = _verdict(at, {**at.bound, node: changed})
            counts[place] += [np.count_nonzero(right & ~now_right), np.count_nonzero(~right & now_right)]
            piece.append(now_losses - losses)
        rises.append(np.array(piece).reshape(len(held), -1))
    rise = np.concatenate(rises, axis=1)
    errors = rise.std(axis=1, ddof=1) / math.sqrt(len(x)) if len(x) > 1 else np.full(len(held), np.nan)
    found = zip(held, counts.tolist(), rise.mean(axis=1).tolist(), errors.tolist(), strict=True)
    return [Effect(neuron, value, lost, gained, len(x), mean, error) for (neuron, value), (lost, gained), mean, error in found]


def node_named(at: CostAt, quantity: str) -> Node:
    """The node of a hidden quantity.

    Raises: OptionError for a quantity that is not there, is the output, or belongs to a layer that is used several times.
    """
    output = at.cost.built.output
    found = [node for node in at.nodes if node.name == quantity and not node.is_leaf]
    hidden = [name for name in at.model.quantity_names if name not in {output.name, "input.a"}]
    if len(found) != 1 or found[0] is output:
        raise OptionError(
            f"removal of a neuron of {printable(quantity)!r}"
            + (", the network's output" if found[-1:] == [output] else f", found {len(found)} times in the network"),
            expected=f"a hidden quantity, used once: {', '.join(hidden) or 'this network has none'}",
            remedy="for several neurons use Model.ablated",
        )
    return found[0]


def _before(at: CostAt, node: Node) -> tuple[Array, Array, Array]:
    (activations,) = compute([node], at.bound)
    return np.asarray(activations), *_verdict(at, {**at.bound, node: activations})


def _verdict(at: CostAt, bound: dict[Node, Array]) -> tuple[Array, Array]:
    """Which examples are classified rightly (none where numbers are predicted), and each example's loss: (n,), (n,)."""
    output, *rows = compute([at.cost.built.output, *at.cost.rows.values()], bound)
    losses = np.sum(rows, axis=0)
    if at.model.problem.dataset_info.classes is None:
        return np.zeros(len(output), dtype=bool), losses
    return decide(output, at.model.problem.threshold) == at.bound[at.cost.target], losses


def _held(activations: Array, neuron: int, value: float, quantity: str) -> Array:
    changed = activations.copy()
    rows = changed.reshape(len(changed), -1)
    require_place(f"neuron {neuron} of {quantity}", neuron, rows.shape[1])
    rows[:, neuron] = value
    return changed


@suits(has_hidden_neurons)
def layer_ablation(model: Model, x: Array, y: Array, quantity: str, *, mean: bool = False) -> View:
    """What happens when each neuron of a layer, alone, is held at 0, or with `mean` at its mean over the examples x (n, ...), y.

    The numbers, each (neurons,): `values`, what each neuron was held at, how many examples were `lost` and `gained`, the fall of the
    accuracy, `drops`, with its binomial standard `errors`, those of a difference on the same examples, and `cost_rises` with
    `cost_errors`; `total` is the number of examples.
    Raises: OptionError for a quantity that is not there, is the output, or belongs to a layer used several times.
    """
    at = cost_at(model, x[:1], y[:1])
    count = node_named(at, quantity).type.size
    values = model.quantities(x, {quantity})[quantity].reshape(len(x), -1).mean(axis=0) if mean else np.zeros(count)
    found = effects(model, x, y, quantity, list(enumerate(values.tolist())))
    shown = numbers(
        values=values,
        lost=[item.lost for item in found],
        gained=[item.gained for item in found],
        drops=[item.drop for item in found],
        errors=[item.error for item in found],
        cost_rises=[item.cost_rise for item in found],
        cost_errors=[item.cost_error for item in found],
        total=len(x),
    )
    classifier, name = model.problem.dataset_info.classes is not None, printable(quantity, most=30)
    what = "accuracy falls" if classifier else "mean loss rises"
    told = "the binomial standard error of the difference" if classifier else "the standard error of the difference"
    return View(
        f"{name} without one of its neurons",
        f"Each bar says by how much the {what}, on {counted(len(x), 'example')}, when this one neuron is held at "
        f"{'its mean' if values.any() else '0'} and "
        f"all others are left as they are, with {told}; a bar within its error belongs to a neuron that can be spared.",
        [_effect_bars(shown, name, classifier=classifier)],
        shown,
        size=(6.6, 3.6),
    )


def effect_words(effect: Effect, *, classifier: bool) -> str:
    """An effect in one line.

    >>> effect_words(Effect(3, 0.0, 12, 2, 100, 0.25, 0.031), classifier=True)
    'accuracy −10.0 ± 3.6 points (12 lost, 2 gained), cost +0.25 ± 0.031'
    """
    points, error = 100 * abs(effect.drop), 100 * effect.error
    accuracy = f"accuracy {'−' if effect.drop > 0 else '+'}{points:.1f} ± {error:.1f} points ({effect.lost} lost, {effect.gained} gained), "
    rise = f"cost {'+' if effect.cost_rise >= 0 else '−'}{numeral(abs(effect.cost_rise))} ± {numeral(effect.cost_error, 2)}"
    return (accuracy if classifier else "") + rise


def _effect_bars(shown: Mapping[str, Array], name: str, *, classifier: bool) -> Panel:
    """Bars by neuron; of more than forty the largest, sorted."""
    heights = 100 * shown["drops"] if classifier else shown["cost_rises"]
    errors = 100 * shown["errors"] if classifier else shown["cost_errors"]
    many = len(heights) > _MOST_BARS
    order = np.argsort(-heights, kind="stable")[:_MOST_BARS] if many else np.arange(len(heights))
    places, up, reach = np.arange(len(order)), heights[order], errors[order]
    some = f" ({len(order)} of {len(heights)}, largest first)" if many else ""
    return Panel(
        [Bars(places, up, color=0), ErrorBars(places, up - reach, up + reach), Rule(y=0.0)],
        Axis(
            f"neuron of {name}{some}",
            at=places,
            texts=list(map(str, order.tolist())),
            size=7.0 if len(order) > 20 else 9.0,
        ),
        Axis("fall of the accuracy (percentage points)" if classifier else "rise of the mean loss"),
    )
