"""The sections of a report, each a function from a run to what it shows; what does not suit the data is left out."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import TypeAlias

import numpy as np

from chainrule.data import Examples
from chainrule.derivatives import grad
from chainrule.graph import Graph
from chainrule.nn import summary_of
from chainrule.train import Model, Run
from chainrule.views import pictures
from chainrule.views.drawing import draw_graph, draw_passes
from chainrule.views.explanation import explanation_body
from chainrule.views.networks import draw_network, draw_unrolled
from chainrule.views.objects.networks import network_table
from chainrule.views.pictures.kinds import adds_neurons_up, fits_a_curve, takes_amounts
from chainrule.views.pictures.learning.health import layers_with_health
from chainrule.views.pictures.sheets import image_shape
from chainrule.views.plain import counted, optimizer_text
from chainrule.views.report.layout import Section, facts_table, figures
from chainrule.views.sentences import data_text
from chainrule.views.svg import clean
from chainrule.views.view import View

MOST_ROWS = 1000
"""Examples that pictures of all data look at: enough to see, few enough to draw."""
MOST_LAYERS = 8
"""Deeper networks are not drawn neuron by neuron."""


class Subject:
    """A run and what several sections need of it, computed once."""

    def __init__(self, run: Run, replica: int) -> None:
        self.run, self.replica = run, replica

    @property
    def part(self) -> str:
        """The part of the data that the network is judged on."""
        parts = list(self.run.dataset_info.parts)
        return "test" if "test" in parts else parts[-1]

    @cached_property
    def examples(self) -> Examples:
        """All examples of that part."""
        return self.run.data.part(self.part)

    @cached_property
    def some(self) -> Examples:
        """Evenly spaced ones of them."""
        count = len(self.examples)
        return self.examples[np.unique(np.linspace(0, count - 1, min(count, MOST_ROWS)).astype(int))]

    @cached_property
    def few(self) -> Examples:
        """Fewer of them where a layer is wide: as many as gradients are still quickly computed for."""
        return self.some if self.widest <= MOST_ROWS else self.some[np.arange(0, len(self.some), 4)]

    @cached_property
    def widest(self) -> int:
        """How many numbers an example has in the widest of the network's quantities."""
        return max(array.size for array in self.model.quantities(self.some.x[:1]).values())

    @cached_property
    def model(self) -> Model:
        """The network to look into."""
        return self.run.model(self.replica)

    @cached_property
    def first_step(self) -> int:
        """Where the training began: 0, or where a branch left its parent."""
        return self.run.trainer.beginning().step

    @cached_property
    def start(self) -> Model | None:
        """The network before its first step, where that can be computed again."""
        replayable = self.run.settings.optimizer.search is None
        return self.run.models([self.first_step], self.replica)[0][1] if replayable else None

    @property
    def is_classifier(self) -> bool:
        """Whether classes are predicted."""
        return self.run.problem.classifies

    @property
    def has_images(self) -> bool:
        """Whether the inputs are images."""
        return image_shape(self.run.dataset_info.input_shape, self.run.dataset_info.input_dtype) is not None


Maker: TypeAlias = Callable[[Subject], "Section | None"]


def configuration(subject: Subject) -> Section:
    """What was trained, on what, and how."""
    run, settings = subject.run, subject.run.settings
    info = run.dataset_info
    layers = summary_of(run.problem.described.built)
    outputs = math.prod(run.problem.output.shape[1:])
    facts = {
        "data": data_text(info, run.problem.objective),
        "input": f"shape {info.input_shape}, {info.input_dtype}",
        "output": f"{len(info.classes)} classes" if info.classes is not None else counted(outputs, "number"),
        "cost": run.problem.formula,
        "scaling": info.scaling_words or "none",
        "optimizer": optimizer_text(settings.optimizer),
        "training": f"{counted(settings.epochs, 'epoch')}, batches of {settings.batch_size}, {counted(run.trainer.step, 'step')}",
        "seed": f"{settings.seed}, {counted(settings.replicas, 'replica')}",
        "hash of parameters": run.hash[:16],
        "hash of data": info.hash[:16],
    }
    words = f"The network has {counted(layers.total, 'parameter')}."
    return Section("configuration", "Configuration", words, [network_table(layers), facts_table(facts)])


def curves(subject: Subject) -> Section | None:
    """How it learned."""
    run = subject.run
    if not run.history.epochs:
        return None
    drawn = [pictures.learning_curves(run)]
    if subject.is_classifier:
        drawn += [pictures.learning_curves(run, "accuracy")]
        drawn += [pictures.loss_against_metric(run)] if len(run.history.epochs) > 2 else []
    what = "Loss and accuracy" if subject.is_classifier else "The losses"
    words = f"{what} of all parts of the data are taken at the same weights, at the end of an epoch."
    return Section("learning", "Learning curves", words, [figures(drawn)])


def network(subject: Subject) -> Section | None:
    """The network with one example in it."""
    model, example = subject.model, subject.examples[0]
    layers = [name for name in model.quantity_names if name.endswith(".z")]
    if not 0 < len(layers) <= MOST_LAYERS:
        return None
    given = f"Example 0 of the {subject.part} part goes through the network:"
    if model.has_memory:
        words = f"{given} each column is the same network at another time step."
        return Section("network", "The network", words, [figures([draw_unrolled(model, example)])])
    words = f"{given} each circle is a neuron, each line a weight."
    return Section("network", "The network", words, [figures([draw_network(model, example)])])


def results(subject: Subject) -> Section | None:
    """What it can do, and where it is wrong; None where outputs are compared with nothing."""
    run, part, replica = subject.run, subject.part, subject.replica
    if not run.problem.compares:
        return None
    if not subject.is_classifier:
        drawn = [pictures.regression_fit(run, part, replica=replica), pictures.largest_residuals(run, part, replica=replica)]
        return Section("results", "Results", "Predictions beside the truth, and the largest residuals.", [figures(drawn)])
    drawn = [pictures.confusion_picture(run, part, replica)]
    drawn += [pictures.reliability(run, part, replica=replica)] if run.problem.probabilities != "none" else []
    wrong = run.evaluate(part).predicted[replica] != subject.examples.y
    drawn += [pictures.worst_mistakes(run, part, replica=replica)] if wrong.any() else []
    words = (
        "The confusion matrix counts true class against predicted class; the worst mistakes are those with the largest loss."
    )
    return Section("results", "Results", words, [figures(drawn)])


def functions(subject: Subject) -> Section | None:
    """The learned function itself, where it has one or two inputs."""
    shape, model = subject.run.dataset_info.input_shape, subject.model
    if fits_a_curve(model) and subject.run.problem.compares:
        drawn = [pictures.fit_1d(subject.run, replica=subject.replica)]
        if not adds_neurons_up(model):
            return Section("function", "The learned function", "The fit.", [figures(drawn)])
        drawn += [pictures.hidden_contributions(model)]
        return Section("function", "The learned function", "The fit, and what each neuron adds to it.", [figures(drawn)])
    if shape == (2,) and takes_amounts(model):
        outputs = model.quantity_names[-1]
        # The input has a name of its own where it is scaled; it is no neuron.
        hidden = [name for name in model.quantity_names if name.endswith(".a") and name not in {"input.a", outputs}]
        shown = (outputs, *hidden[:1])
        drawn = [pictures.neuron_surface(subject.run, name, 0, replica=subject.replica) for name in shown]
        return Section("function", "The learned function", "Neurons over the plane of the two inputs.", [figures(drawn)])
    return None


def representation(subject: Subject) -> Section | None:
    """What the layers do to the data."""
    some, model = subject.some, subject.model
    if not subject.is_classifier or not any(name.endswith(".a") for name in model.quantity_names) or len(some) < 2:
        return None
    training = subject.run.data.train
    rows = min(len(training), MOST_ROWS if subject.widest > MOST_ROWS else 5 * MOST_ROWS)
    seen = training[np.unique(np.linspace(0, len(training) - 1, rows).astype(int))]
    drawn = [
        pictures.layer_projections(model, some.x, some.y, most=400),
        pictures.linear_probes(model, seen.x, seen.y, some.x, some.y, part=subject.part),
    ]
    first = model.weights.get("dense1.W")
    sees_images = subject.has_images and first is not None and len(first) == math.prod(subject.run.dataset_info.input_shape)
    drawn += [pictures.neuron_images(model)] if sees_images else []
    words = (
        "Each layer turns the data into other numbers, in which the classes should lie further apart. A linear probe measures how "
        "far they are: the better a straight cut tells them apart, the more useful the representation."
    )
    return Section("representation", "What the layers make of the data", words, [figures(drawn)])


def learning(subject: Subject) -> Section:
    """Gradients, dead neurons, weights against their start."""
    model, some = subject.model, subject.few
    drawn: list[View] = [pictures.gradient_entries(model, some.x, some.y)]
    drawn += [pictures.dead_and_saturated(model, some.x)] if layers_with_health(model) else []
    if subject.start is not None and subject.run.trainer.step > subject.first_step:
        drawn.append(pictures.weight_histograms(subject.start, model))
        steps = np.unique(np.linspace(subject.first_step, subject.run.trainer.step, 9).astype(int)).tolist()
        states = subject.run.models(steps, subject.replica)
        drawn.append(pictures.gradient_sizes([state for _, state in states], some.x, some.y, [step for step, _ in states]))
    words = (
        f"The gradient of the cost on {counted(len(some), 'example')} of the {subject.part} part: its size says which parameters matter, "
        "its sign which way. Sizes by layer are divided by the root of the number of entries, so that layers can be compared."
    )
    return Section("gradient", "Gradient and weights", words, [figures(drawn)])


def graph(subject: Subject) -> Section | None:
    """The graph that runs, forward and backward."""
    cost = subject.model.problem.described
    if len(cost.built.parameters) > 2 * MOST_LAYERS:
        return None
    whole = Graph({"C": cost.total})
    # A step has no gradient: what is trained by the perceptron's rule has a forward pass only.
    has_gradient = any(g is not None for g in grad(cost.total, [item.node for item in cost.built.parameters.values()]))
    drawing = draw_passes(whole, "C") if has_gradient else draw_graph(whole, unfold="all")
    words = "The graph that is computed, and its gradient, which is graph as well: every node is numbered in the order of computation."
    return Section("graph", "The computation graph", words, [f'<div class="scroll">{figures([drawing])}</div>'])


def explanations(subject: Subject) -> Section:
    """A few examples forward and backward: the first, and where there is one, the worst mistake."""
    chosen = [0]
    if subject.is_classifier:
        wrong = subject.run.evaluate(subject.part).predicted[subject.replica] != subject.examples.y
        costs = np.where(wrong, subject.model.costs(subject.examples.x, subject.examples.y), -np.inf)
        chosen += [int(np.argmax(costs))] if wrong.any() and wrong[1:].any() else []
    parts: list[str] = []
    for place, number in enumerate(dict.fromkeys(chosen)):
        found = subject.run.explain(number, subject.part, subject.replica, notation="layers")
        label = f"Example {number} of the {subject.part} part" + (", the worst mistake" if place else "")
        state = " open" if place == 0 else ""
        parts.append(f"<details{state}><summary>{clean(label)}</summary>{explanation_body(found)}</details>")
    words = (
        "Every quantity with its formula and its numbers, then every derivative: what arrives, the local derivative, their product, and "
        "beside each a finite difference."
    )
    return Section("explanations", "Number by number", words, parts)


SECTIONS: tuple[Maker, ...] = (
    configuration, curves, network, results, functions, representation, learning, graph, explanations,
)  # fmt: skip
"""The sections in their order."""
OF_WHOLE_BATCHES: tuple[Maker, ...] = (configuration, curves, results, graph)
"""Those for a network that is used in batches of its own size only: without single examples, and without points of a plane."""
