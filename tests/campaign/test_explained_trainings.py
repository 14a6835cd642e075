"""Explanations of networks that have learned: no right derivative is called wrong, and a wrong rule is marked at its node only."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from explained_trainings import explanations, random_training, rule_by_complex_step, slope_by_complex_step

import chainrule as cr
from chainrule.trace import Explanation, RuleCheck
from chainrule.trace.differences import AGREEMENT

SEEDS = range(int(os.environ["CAMPAIGN_SIZE"]) // 20) if "CAMPAIGN_SIZE" in os.environ else (0, 5, 7, 8)
"""Each seed brings some 250 explained entries: a size of 8 000 makes 100 000 of them."""


@pytest.mark.parametrize("seed", SEEDS)
def test_no_right_derivative_is_called_wrong(seed: int) -> None:
    counts = Counter[str]()
    for explanation in explanations(seed):
        for check in explanation.rules:
            if check.state == "differs":
                gap, largest = rule_by_complex_step(explanation.trace, check)
                assert gap > AGREEMENT * largest, f"{check.quantity.name}: {check}"
        for entry in explanation.entries:
            counts[entry.state] += 1
            if entry.state == "differs":
                known = slope_by_complex_step(explanation.trace, entry.name, entry.index)
                assert abs(known - entry.derivative) > AGREEMENT * abs(known), entry
    assert not counts["differs"]
    assert counts["agrees"] >= 0.9 * counts.total()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rule_that_is_wrong_by_a_hundred_thousandth_is_marked_at_its_node_and_nowhere_else(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data, options = random_training(seed)
    run = cr.fit(network, data, **options)
    right = run.explain(0, every=True)
    marked = {check.quantity.node.op for check in own_rules(right) if check.state == "agrees" and abs(check.derivative) > 0}
    for op in sorted(marked, key=lambda op: op.name):
        rule = op.vjp_rule
        with monkeypatch.context() as planted:
            planted.setattr(
                op, "vjp_rule", lambda *a, rule=rule, **k: tuple(None if g is None else g * (1 + 1e-5) for g in rule(*a, **k))
            )
            found = own_rules(run.explain(0, every=True))
        wrong = {check.quantity.node.op.name for check in found if check.state == "differs"}
        assert wrong <= {op.name}, (op.name, wrong)
        missed = [check for check in found if _is_missed(check, op)]
        assert not missed, (op.name, missed[:2])


def own_rules(explanation: Explanation) -> list[RuleCheck]:
    """The checks of rules that pass something on; the loss as a function of what it is computed past has a formula of several ops."""
    aside = set(explanation.trace.past.values())
    return [check for check in explanation.rules if check.quantity not in aside]


def _is_missed(check: object, op: object) -> bool:
    """Whether a rule of the op is said to agree though something other than 0 goes through it."""
    return check.quantity.node.op is op and check.state == "agrees" and abs(check.derivative) > 1e-9
