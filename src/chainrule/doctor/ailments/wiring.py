"""What is wrong with the graph itself: a softmax taken twice, targets that outputs cannot reach, a penalty that outweighs the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.changes import changed
from chainrule.doctor.finding import Cure, Finding, fine, ill
from chainrule.doctor.patient import HALF, Patient
from chainrule.nn import L1, L2, Activation, Dense, Layer, Objective, Sequential, output_range, sigmoid_input, softmax_input
from chainrule.numerals import numeral

_SQUASHED = {"softmax", "sigmoid"}


@ailment("softmax twice", source="J. S. Bridle, Neurocomputing NATO ASI F68, 227 (1990)", stops_learning=True, needs="nothing")
def softmax_twice(patient: Patient) -> Finding:
    """Whether what goes into the last softmax or sigmoid, or into a loss that takes one, has been through one before."""
    output = patient.problem.output
    last = softmax_input(output), sigmoid_input(output)
    logits = next((node for node in last if node is not None), None)
    if logits is None and patient.problem.probabilities in _SQUASHED:
        logits = output
    if logits is None:
        return fine("no softmax or sigmoid stands at the output")
    inner = "softmax" if softmax_input(logits) is not None else "sigmoid" if sigmoid_input(logits) is not None else ""
    if not inner:
        return fine("what goes into the last softmax or sigmoid has been through none before")
    classes = logits.shape[-1]
    best = 1 / (1 + (classes - 1) * np.exp(-1.0)) if classes > 1 else 1 / (1 + np.exp(-1.0))
    network = _without_last_squashing(patient.problem.network)
    cures = () if network is None else changed(patient, "without the second one", {"network": network})
    return ill(
        f"the output is squashed twice: what goes into the last {'softmax' if last[0] is not None else 'squashing'} is a {inner}",
        f"so its inputs lie between 0 and 1, no answer can be surer than {numeral(float(best), 3)}, and gradients are small",
        cures=cures, surest=float(best), inner=inner,
    )  # fmt: skip


def _without_last_squashing(network: Layer) -> Layer | None:
    if not isinstance(network, Sequential) or len(network.layers) < 2:
        return None
    *before, last = network.layers
    if isinstance(last, Activation):
        return Sequential(*before, input_shape=network.input_shape)
    if isinstance(last, Dense) and last.activation in _SQUASHED:
        return Sequential(*before, replace(last, activation="linear"), input_shape=network.input_shape)
    return None


@ailment(
    "targets out of reach",
    source="R. E. Moore, Interval Analysis (1966), for the outputs' range",
    stops_learning=True,
    needs="targets",
)
def out_of_reach(patient: Patient) -> Finding:
    """Whether targets lie outside of what the outputs can reach, whatever the weights."""
    if patient.problem.dataset_info.classes is not None:
        return fine("classes are in the reach of their outputs")
    reach = output_range(patient.problem.output)
    rows = patient.problem.targets_seen(patient.train.y)[:, : patient.problem.output.shape[-1]]
    low, high = (np.broadcast_to(np.asarray(bound), patient.problem.output.shape)[0] for bound in (reach.low, reach.high))
    outside = (rows < low) | (rows > high)
    if not outside.any():
        return fine("every target lies in the reach of the outputs")
    share = float(outside.mean())
    return ill(
        f"{100 * share:.0f} % of the targets lie outside of what the outputs can reach",
        f"outputs reach from {numeral(float(low.min()), 3)} to {numeral(float(high.max()), 3)}, "
        f"targets, as the loss sees them, from {numeral(float(rows.min()), 3)} to {numeral(float(rows.max()), 3)}",
        cures=_linear_output(patient), share=share,
    )  # fmt: skip


def _linear_output(patient: Patient) -> tuple[Cure, ...]:
    network = patient.problem.network
    if not isinstance(network, Sequential) or not network.layers:
        return ()
    *before, last = network.layers
    if isinstance(last, Dense) and last.activation != "linear":
        made = Sequential(*before, replace(last, activation="linear"), input_shape=network.input_shape)
        return changed(patient, "a linear output", {"network": made})
    if isinstance(last, Activation):
        return changed(patient, "without the last function", {"network": Sequential(*before, input_shape=network.input_shape)})
    return ()


@ailment("penalty too strong", source="A. Krogh, J. A. Hertz, NIPS 4, 950 (1991)", stops_learning=True, needs="targets")
def strong_penalty(patient: Patient) -> Finding:
    """Whether most of what could be learned is given up for small weights: the fit is poor, and the penalty holds the weights there."""
    penalties = patient.problem.objective.penalties
    if not penalties:
        return fine("there is no penalty on the weights")
    if patient.fitted >= HALF:
        return fine("the penalty leaves the network its fit")
    end, some = patient.end, patient.train
    pulls = {term: end.gradient(some.x, some.y, term) for term in end.terms}
    names = {penalty.name for penalty in penalties}
    weights = [name for name in end.parameters if any(np.any(pulls[term][name]) for term in names)]
    push = {name: sum(pulls[term][name] for term in end.terms if term not in names) for name in weights}
    hold = {name: sum(pulls[term][name] for term in names) for name in weights}
    sizes = [float(np.sqrt(sum(np.square(side[name]).sum() for name in weights))) for side in (push, hold)]
    moved = float(np.sqrt(sum(np.square(end.parameters[name]).sum() for name in weights)))
    began = float(np.sqrt(sum(np.square(patient.start.parameters[name]).sum() for name in weights)))
    if moved > 0.5 * began or sizes[0] > 2 * sizes[1]:
        return fine("the weights have not shrunk under the penalty to where it balances the data")
    weaker = Objective(
        tuple(
            replace(term, factor=term.factor / 100) if isinstance(term, L1 | L2) else term
            for term in patient.problem.objective.terms
        )
    )
    return ill(
        f"the penalty has pressed the weights to {numeral(moved, 2)}, from {numeral(began, 2)} at the start, and the network fits "
        f"{100 * max(0.0, patient.fitted):.0f} % of what a constant answer leaves",
        f"the gradient of the data, {numeral(sizes[0], 2)}, and of the penalty, {numeral(sizes[1], 2)}, hold each other there",
        cures=changed(patient, "a hundredth of the penalty", {"loss": weaker}), data=sizes[0], penalty=sizes[1],
    )  # fmt: skip
