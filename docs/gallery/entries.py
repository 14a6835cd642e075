"""What the gallery shows: for each item of the checklist that is to be seen, the lines that make its picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One picture: the items of docs/checklist.md that it shows, a heading, and code whose last line is the picture."""

    items: str
    heading: str
    code: str


@dataclass(frozen=True)
class Room:
    """A part of the gallery: what is prepared once, and its entries."""

    letter: str
    heading: str
    prepare: str
    entries: tuple[Entry, ...]


PREPARE = """
import numpy as np
import chainrule as cr
from chainrule import pictures
from chainrule.views.drawing import draw_graph, draw_passes
from chainrule.views.networks import draw_network, draw_unrolled, growing_picture, layer_card

digits = cr.data.mnist()
run = cr.fit("784-16-16-10 sigmoid softmax", digits, optimizer=cr.Adam(0.003), epochs=6, replicas=3)
relu = cr.fit("784-16-16-10 relu softmax", digits, epochs=3)
model = run.model()
test = digits.test
some = test[:1000]
moons = cr.fit("2-8-8-2 tanh softmax", "moons", optimizer=cr.Adam(0.02), epochs=150, replicas=4)
"""
"""What every room may use: a sigmoid and a ReLU network on the digits, and a small one on two moons."""

ROOMS: tuple[Room, ...] = (
    Room(
        "A",
        "One neuron",
        """
neuron = cr.fit("2-1 sigmoid sigmoid", "blobs", optimizer=cr.SGD(0.5), epochs=60)
""",
        (
            Entry("1, 2", "One neuron, drawn", "draw_network(neuron, neuron.data.test[0])"),
            Entry("2, 8, 9", "Two steps, never merged", 'neuron.explain(0, notation="layers")'),
            Entry("4", "z is a plane over the inputs", 'pictures.neuron_surface(neuron, "dense1.z").surface()'),
            Entry("5", "f(z) over the inputs", 'pictures.neuron_surface(neuron, "dense1.a")'),
            Entry("1, 2, 4, 5", "Both steps side by side", "pictures.neuron_steps(neuron)"),
            Entry("6, E16", "The sigmoid is a rounded step", "pictures.sharpness(neuron)"),
            Entry("10", "A bias says how easily a neuron fires", "pictures.firing_fraction(neuron, neuron.data.train.x)"),
            Entry(
                "12",
                "An edge detector by hand",
                "pictures.edge_detector(digits, pictures.edge_weights((28, 28), 8, 14, 10))",
            ),
            Entry("13, 126", "Weights of neurons as pictures", "pictures.neuron_images(run)"),
        ),
    ),
    Room(
        "B",
        "Layers, networks, architecture",
        """
x = np.random.default_rng(0).normal(size=(300, 4))
three = np.argmax(x @ np.random.default_rng(1).normal(size=(4, 3)), axis=1)
linear = cr.fit("4-16-3 linear", (x, three), epochs=20)
""",
        (
            Entry("18", "Connections of variable strength", "draw_network(moons, moons.data.test[0])"),
            Entry("19", "A layer's four things", 'layer_card(run, "dense1")'),
            Entry("21", "The growing picture, whole", "growing_picture(run)"),
            Entry("22", "Matrix view and neuron view", "draw_network(moons, moons.data.test[0], biases=True)"),
            Entry("28", "Hidden layers of 4 and 3 neurons", 'draw_network("2-4-3-1")'),
            Entry("30", "Two linear layers are one", "pictures.two_linear_layers(linear)"),
        ),
    ),
    Room(
        "C",
        "Batches",
        "",
        (
            Entry("33", "Many inputs at once", "pictures.time_per_example(run)"),
            Entry(
                "34",
                "Twenty images in parallel",
                'draw_graph(cr.Graph({"p": cr.build_network(run.problem.network, (784,), batch=20).output}))',
            ),
        ),
    ),
    Room(
        "D",
        "Expressivity",
        """
curve = cr.data.curve("sin3x")
def fitted(neurons, seeds=1):
    net = cr.Sequential(cr.Dense(neurons, "relu", biases=cr.nn.Uniform(-3, 3)), cr.Dense(1))
    return [cr.fit(net, curve, optimizer=cr.LBFGS(iterations=200), seed=seed) for seed in range(seeds)]
fits = {neurons: fitted(neurons, 4) for neurons in (2, 5, 10, 20, 50)}
straight = cr.fit("1-1", curve, optimizer=cr.LBFGS(iterations=50))
noisy = {}
for neurons in (2, 5, 50, 500):
    noisy[neurons] = []
    for seed in range(4):
        draw = np.random.default_rng(seed)
        at = draw.uniform(-3, 3, (20, 1))
        net = cr.Sequential(cr.Dense(neurons, "relu", biases=cr.nn.Uniform(-3, 3)), cr.Dense(1))
        points = (at, np.sin(at) + 0.3 * draw.normal(size=at.shape))
        noisy[neurons].append(cr.fit(net, points, optimizer=cr.LBFGS(iterations=200), seed=seed))
""",
        (
            Entry("35, 36", "Error against the number of neurons", "pictures.error_against_neurons(fits)"),
            Entry("38", "A line cannot follow", "pictures.fit_1d(straight)"),
            Entry("38", "A network can", "pictures.fit_1d(fits[20][0])"),
            Entry("39", "Two ReLU graphs, added", "pictures.hidden_contributions(fits[2][0])"),
            Entry("40", "Fifty ReLU neurons and their kinks", "pictures.hidden_contributions(fits[50][0])"),
            Entry("41, 121", "More neurons fit the noise", "pictures.fit_1d(noisy[50][0], np.sin)"),
            Entry("41, 121", "Overfitting, with bands", "pictures.error_against_neurons(noisy, np.sin)"),
        ),
    ),
    Room(
        "E",
        "Activations and outputs",
        """
tried = {name: cr.fit(f"784-16-16-10 {name} softmax", digits, epochs=2, replicas=3) for name in ("sigmoid", "tanh", "relu", "gelu")}
""",
        (
            Entry("43", "ReLU, its derivative, and the rule at the kink", 'pictures.activation_curve("relu")'),
            Entry("43, 45, 46", "All activations", "pictures.activation_gallery()"),
            Entry("47", "Softmax in three steps", "pictures.softmax_steps([2.0, 1.0, -1.0])"),
            Entry("47", "Softmax, warmer", "pictures.softmax_steps([2.0, 1.0, -1.0], temperature=3.0)"),
            Entry("49", "A measured comparison", "pictures.activation_comparison(tried)"),
        ),
    ),
    Room(
        "F",
        "Metric and loss",
        "",
        (
            Entry(
                "52, E15",
                "Accuracy is a staircase, the loss is not",
                'pictures.cost_over_weight(moons.model(), moons.data.test.x, moons.data.test.y, "dense3.W", (0, 0))',
            ),
            Entry("53", "Loss: a proxy for the metric", "pictures.loss_against_metric(run)"),
            Entry("54, 55, 56, E4", "The triangle of probabilities", "pictures.probability_triangle()"),
        ),
    ),
    Room(
        "H",
        "Training",
        "",
        (
            Entry("67, 68", "The training step, drawn from the graph that runs", 'draw_graph(moons.graph("step"))'),
            Entry("63, 68", "Learning curves with bands", "pictures.learning_curves(run)"),
            Entry(
                "71",
                "How one weight influences the loss",
                'pictures.cost_over_weight(model, some.x, some.y, "dense2.W", (3, 5))',
            ),
        ),
    ),
    Room(
        "I",
        "Gradient descent",
        """
states = [state for _, state in moons.models(range(0, moons.trainer.step + 1, 15))]
valley = lambda w: cr.ops.sin(w * 3.0) * 0.5 + w * w * 0.2
bowl = lambda x, y: x * x * 0.5 + y * y * 1.5 + cr.ops.sin(x * 2.0) * 0.4
""",
        (
            Entry(
                "73", "Where it rolls depends on the start", "pictures.cost_curve_starts(valley, [-2.6, -1.2, 0.4, 1.4, 2.7])"
            ),
            Entry("74", "The gradient is the steepest direction", "pictures.gradient_field(bowl, start=(-1.7, 1.5))"),
            Entry("75", "All 13 002 entries of the gradient", "pictures.gradient_entries(model, some.x, some.y)"),
            Entry(
                "78, 93",
                "Difference quotients converge",
                'pictures.difference_quotients(model, some.x, some.y, "dense2.W", (3, 5))',
            ),
            Entry("80", "The path of a training", "pictures.path_of_run(states, moons.data.train.x, moons.data.train.y)"),
            Entry("80", "The learned function", 'pictures.neuron_surface(moons, "dense3.a", 1)'),
            Entry(
                "73",
                "The cost over two directions",
                "pictures.cost_surface(moons.model(), moons.data.train.x, moons.data.train.y)",
            ),
        ),
    ),
    Room(
        "J",
        "Back-propagation, the intuition",
        """
untrained = run.at(40).model()
two = test[1]
""",
        (
            Entry("81, 82", "What each output should do", "pictures.output_nudges(untrained, two.x, two.y)"),
            Entry("83, 84", "Three ways to change one output", 'pictures.nudges(untrained, two.x, two.y, "2")'),
            Entry("86", "Ten wishes and their sum", "pictures.wishes(untrained, two.x, two.y)"),
            Entry(
                "87, E8", "Averaged wishes are the gradient", "pictures.averaged_wishes(untrained, some.x[:50], some.y[:50])"
            ),
            Entry("85", "Hebb's rule beside the gradient", 'pictures.hebb(untrained, some.x, some.y, "dense2.W")'),
            Entry(
                "88",
                "One step moves both as promised",
                "pictures.step_effect(moons.at(0).model(), moons.data.test.x[:1], moons.data.test.y[:1], 0.5)",
            ),
        ),
    ),
    Room(
        "K",
        "Back-propagation, the calculus",
        """
chain = cr.fit("1-1-1-1 sigmoid sigmoid", (np.array([[0.6], [0.2]] * 10), np.array([[1.0], [0.0]] * 10)),
               loss=cr.SquaredError(mean=False), optimizer=cr.SGD(1.0), batch_size=4, epochs=3)
""",
        (
            Entry(
                "89, 91, 94, 97", "One neuron per layer, number by number", 'chain.explain(0, "training", notation="layers")'
            ),
            Entry("92, 99", "The factors as bars", 'print(chain.explain(0, "training", level="numbers", notation="layers"))'),
            Entry(
                "95",
                "One term to a path",
                'from chainrule.views.explanation import node_text; print(node_text(run.explain(7), "dense2.a"))',
            ),
            Entry("96", "What the forward pass stores", "run.explain(7).trace.stored"),
            Entry("99", "Who pushes whom", 'print(run.explain(7, level="picture"))'),
        ),
    ),
    Room(
        "L",
        "Computation graphs",
        """
twice = cr.parse_graph("a: float64[] = parameter()\\nb: float64[] = add(a, a)\\nc: float64[] = add(b, b)\\nreturn C=c")
small = cr.Sequential(cr.Dense(3, "sigmoid"), cr.Dense(1)).explain(cr.data.curve("sin3x").train[0]).trace.graph
""",
        (
            Entry("100, 101", "b = a + a, c = b + b", "draw_graph(twice)"),
            Entry("100", "A small network, unfolded", 'draw_graph(small, unfold="all", constants="inside")'),
            Entry("97, 101, 102", "Forward and backward side by side", 'draw_passes(small, "C")'),
            Entry("100", "The digits network, folded by layers", 'draw_graph(run.graph("step"))'),
        ),
    ),
    Room(
        "M",
        "Stochastic gradient descent",
        """
batches = [cr.fit("784-16-16-10 relu softmax", digits, batch_size=size, epochs=1) for size in (32, 64, 128, 256, 512)]
wild = cr.fit("784-16-16-10 relu softmax", digits, optimizer=cr.SGD(2.0), epochs=1)
along = run.models(range(0, run.trainer.step + 1, run.trainer.step // 8))
""",
        (
            Entry("106, 107", "Updates to an epoch, and their time", "pictures.batch_statistics(batches)"),
            Entry(
                "108",
                "The angle between a batch's gradient and the whole one",
                "pictures.batch_angles(model, test.x[:5000], test.y[:5000])",
            ),
            Entry(
                "D11, 119",
                "Gradients by layer, corrected for size",
                "pictures.gradient_sizes([m for _, m in along], some.x, some.y, [s for s, _ in along])",
            ),
            Entry("45", "Dead and saturated units", "pictures.dead_and_saturated(wild.model(), some.x)"),
            Entry("66", "Weights against their start", "pictures.weight_histograms(along[0][1], model)"),
            Entry("68", "Why did this weight move?", 'pictures.ledger_picture(run.ledger(1000, "dense3.W", (0, 3)))'),
        ),
    ),
    Room(
        "N",
        "Memory",
        """
sequences = cr.data.recall(256, gap=5)
two_deep = cr.Sequential(cr.RNN(8, return_sequences=True), cr.RNN(8), cr.Dense(2, "softmax"))
reader = cr.fit(two_deep, sequences, optimizer=cr.Adam(0.01), epochs=10)
gated = cr.fit(cr.Sequential(cr.LSTM(8), cr.Dense(2, "softmax")), sequences, optimizer=cr.Adam(0.01), epochs=10)
x, y = sequences.train.x[:64], sequences.train.y[:64]
""",
        (
            Entry("114, 115", "The same network once per time step", "draw_unrolled(reader, sequences.test[0])"),
            Entry("114", "Folded", "draw_unrolled(reader, sequences.test[0]).fold()"),
            Entry("117", "Down the layers and back in time", "pictures.gradients_through_time(reader.model(), x, y)"),
            Entry(
                "118, E5",
                "What each step adds to a shared weight",
                'pictures.step_contributions(reader.model(), x, y, "rnn1.U")',
            ),
            Entry(
                "119",
                "How fast the gradient shrinks on its way back",
                """
first, last = reader.at(0).model(), reader.model()
halved = last.with_parameters({"rnn2.U": last.parameters["rnn2.U"] / 2})
pictures.gradient_decay({"untrained": first, "trained": last, "trained, U halved": halved}, x, y, "rnn2")
""",
            ),
            Entry(
                "120",
                "Gates, and what they keep",
                'pictures.memory_over_time(gated.model(), x[0], y[0], features=("signal", "question"))',
            ),
        ),
    ),
    Room(
        "O",
        "Features and generalisation",
        "",
        (
            Entry(
                "122, 143",
                "What each layer does to the plane",
                "pictures.layer_projections(moons.model(), moons.data.test.x, moons.data.test.y)",
            ),
            Entry("122", "Digits, layer by layer", "pictures.layer_projections(model, some.x, some.y, most=600)"),
            Entry(
                "122",
                "Linear probes",
                "pictures.linear_probes(model, digits.train.x[:5000], digits.train.y[:5000], some.x, some.y)",
            ),
            Entry("126", "Trained neurons beside edges", "pictures.edge_likeness(run)"),
            Entry("126", "Sure of noise", "pictures.confidence_on_noise(model, some.x)"),
        ),
    ),
    Room(
        "P",
        "The digit network",
        "",
        (
            Entry("127, 131", "784-16-16-10 with an example", "draw_network(run, test[7])"),
            Entry("51", "true class against predicted class", "pictures.confusion_picture(run)"),
            Entry("62", "The worst mistakes", "pictures.worst_mistakes(run)"),
            Entry("62", "Is it as sure as it should be?", "pictures.reliability(run)"),
            Entry(
                "128",
                "Does any neuron see loops?",
                'pictures.detector_test(model, some.x, some.y, ("0", "6", "8", "9"), what="a loop")',
            ),
            Entry("126, 128", "The biography of a neuron", 'pictures.neuron_biography(model, some, "dense2.a", 3)'),
            Entry("128", "What removing a neuron does", 'pictures.layer_ablation(model, some.x, some.y, "dense2.a")'),
            Entry("63, 130", "The data", "pictures.data_examples(digits)"),
        ),
    ),
    Room(
        "Q",
        "Networks that see",
        """
eyes = cr.fit("784-28x28x1-conv5x5x8:relu-pool2-flatten-10 linear softmax", digits, optimizer=cr.Adam(0.002), epochs=1)
""",
        (
            Entry("132", "A convolutional network, drawn", "draw_network(eyes, test[7])"),
            Entry("132", "Its filters", 'pictures.kernels(eyes, "conv1")'),
            Entry("132", "What they see", "pictures.feature_maps(eyes, test[7])"),
        ),
    ),
)
"""The rooms in the order of the checklist's sections."""
