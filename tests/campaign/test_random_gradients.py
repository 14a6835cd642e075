"""The gradient checker on random networks: planted mistakes are named, random changes are not, and right gradients are right."""

from __future__ import annotations

import os

import numpy as np
import pytest
from random_gradients import RandomNetwork, corrupted, planted

from chainrule.graph import Array
from chainrule.trace import check_gradient

_FACTORS = {"a factor in some arrays", "a common factor", "another strength of the penalty"}
SIZE = int(os.environ.get("CAMPAIGN_SIZE", "20"))


@pytest.mark.parametrize("seed", range(max(8, SIZE // 5)))
def test_a_planted_mistake_is_named(seed: int) -> None:
    for attempt in range(50):
        network = RandomNetwork(seed + 1000 * attempt)
        made = planted(network, seed)
        if made is not None:
            break
    else:
        raise AssertionError("no mistake that changes anything")
    kind, layer, mine = made
    found = check_gradient(mine, network.graph(), network.values)
    assert found.ok is False
    named = {(mistake.name, where) for mistake in found.diagnosis for where in mistake.layers}
    # In a bias 1/B is called by what was done.
    also = {"bias averaged over the batch"} if kind.name == "1/B too often" else set[str]()
    assert any((name, layer) in named for name in {kind.name, *also}), f"{kind.name} in {layer} of {network.seed}:\n{found}"


@pytest.mark.parametrize("seed", range(SIZE))
def test_a_random_change_is_no_mistake(seed: int) -> None:
    network = RandomNetwork(seed)
    how, mine = corrupted(network, seed)
    found = check_gradient(mine, network.graph(), network.values)
    # An array times a number is what it is said to be; one that is a penalty's alone has then another strength.
    said = {mistake.name for mistake in found.diagnosis} - (_FACTORS if how == "scaled array" else set[str]())
    assert not said, f"{how} in {network.seed}:\n{found}"


@pytest.mark.parametrize("seed", range(max(8, SIZE // 4)))
def test_a_right_gradient_is_right_however_it_is_computed(seed: int) -> None:
    network = RandomNetwork(seed + 10**5)
    random = np.random.default_rng(seed)
    order = random.permutation(network.batch)
    ways: dict[str, dict[str, Array]] = {
        "float64": network.gradient(),
        "rows in another order": network.gradient(rows=order),
        "float32": network.gradient("float32"),
        "float32, rows in another order": network.gradient("float32", rows=order),
    }
    if not network.mixes_rows:
        each = [network.gradient(rows=np.array([row])) for row in order]
        ways["example by example"] = {name: sum(g[name] for g in each) / network.batch for name in each[0]}
    for way, mine in ways.items():
        found = check_gradient(mine, network.graph(), network.values)
        assert found.ok, f"{way} in {network.seed}:\n{found}"
