"""Two networks compared: copies with their neurons in another order or turned over are found to be copies; judged by SciPy."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import chainrule as cr
from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.train.compared import aligned, assignment, correlations


@pytest.fixture(scope="module")
def run():
    return cr.fit("2-6-4-2 tanh softmax", cr.data.moons(80), epochs=10, replicas=2, optimizer=cr.Adam(0.03))


def changed(run, order, signs):
    """The same function, its first hidden layer in another order and turned over."""
    training = cr.Training.of(run).changed(epochs=0, replicas=1, initial=None)
    p = run.parameters()
    p["dense1.W"], p["dense1.b"] = p["dense1.W"][:, order] * signs, p["dense1.b"][order] * signs
    p["dense2.W"] = p["dense2.W"][order] * signs[:, None]
    return training.changed(initial=p).fit()


@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (4, 9), (30, 40)])
def test_the_assignment_is_scipys(shape):
    random = np.random.default_rng(sum(shape))
    for cost in (random.normal(size=shape), random.integers(0, 3, size=shape).astype(float)):
        rows, columns = scipy.optimize.linear_sum_assignment(cost)
        found = assignment(cost)
        assert len(set(found.tolist())) == shape[0]
        assert cost[np.arange(shape[0]), found].sum() == pytest.approx(cost[rows, columns].sum())


def test_correlations_are_scipys_and_0_for_what_is_constant():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(40, 3)), random.normal(size=(40, 2)) + 5
    a[:, 1] = 0.1
    found = correlations(a, b)
    for i, j in ((0, 0), (2, 1)):
        assert found[i, j] == pytest.approx(scipy.stats.pearsonr(a[:, i], b[:, j]).statistic)
    np.testing.assert_array_equal(found[1], 0)


def test_a_permuted_and_turned_copy_is_found_to_be_one(run):
    order, signs = np.array([3, 0, 5, 1, 4, 2]), np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    found = run.compare(changed(run, order, signs))
    first, second = found.alignments
    np.testing.assert_array_equal(order[first.pairs[:, 1]], first.pairs[:, 0])
    np.testing.assert_allclose(first.correlations, signs[first.pairs[:, 1]], atol=1e-5)
    np.testing.assert_array_equal(second.pairs[:, 0], second.pairs[:, 1])
    assert found.same_structure
    assert (found.agreement.correct, found.agreement.total) == (80, 80)
    np.testing.assert_allclose(found.apart, 0, atol=1e-5)
    assert "3 turned over" in str(found)


def test_two_seeds_differ_where_their_answers_do(run):
    found = run.compare(run, other_replica=1)
    here, there = (run.probabilities(run.data.test.x, replica) for replica in (0, 1))
    apart = np.abs(here - there).sum(axis=1) / 2
    np.testing.assert_allclose(found.apart, apart, atol=1e-5)
    assert found.furthest[0] == int(np.argmax(found.apart))
    same = (here.argmax(1) == there.argmax(1)).mean()
    assert found.agreement.value == same
    assert found.distance.error == pytest.approx(scipy.stats.sem(found.apart))
    assert all(0 <= each.by_chance < each.mean <= 1 for each in found.alignments)
    assert f"example {found.furthest[0]}: " in str(found)
    picture = cr.pictures.compared(found)
    np.testing.assert_array_equal(picture.numbers["apart"], found.apart)
    assert len(picture.panels) == 3


def test_layers_that_differ_stand_beside_each_other(run):
    other = cr.fit("2-9-2 relu softmax", cr.data.moons(80), epochs=2)
    found = run.compare(other)
    assert not found.same_structure
    assert found.layers[-1][0] == found.layers[-1][1]  # the same softmax at the end of both
    assert found.layers[1][1] == ""
    assert found.alignments[0].pairs.shape == (6, 2)
    assert "3 without a partner" in str(found)
    assert found.alignments[0].pairs[:, 1].tolist() != found.alignments[0].pairs[:, 0].tolist()
    back = other.compare(run).alignments[0]
    assert {(b, a) for a, b in back.pairs.tolist()} == {tuple(pair) for pair in found.alignments[0].pairs.tolist()}


def test_numbers_are_compared_in_the_units_of_the_data():
    x = np.linspace(-1, 1, 30)[:, None]
    runs = [cr.fit("1-4-1 tanh", (x, 500 + 300 * x), epochs=3, seed=seed, dtype="float64") for seed in (0, 1)]
    found = runs[0].compare(runs[1])
    part = dict(runs[0].data.parts())[found.part]
    known = np.abs(runs[0].predict(part.x) - runs[1].predict(part.x))[:, 0]
    np.testing.assert_allclose(found.apart, known, rtol=1e-9)
    assert found.agreement is None
    assert "in truth" in str(found)


def test_what_cannot_be_compared_is_refused(run):
    with pytest.raises(ShapeError):
        run.compare(cr.fit("1-2-1", "curve", epochs=0))
    x = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.raises(DataError):
        run.compare(cr.fit("2-2:softmax", (x, np.where(x[:, 0] > 0, "a", "b")), epochs=0))
    for given in ({"part": "nothing"}, {"other_replica": 7}):
        with pytest.raises(OptionError):
            run.compare(run, **given)


def test_images_are_aligned_place_by_place():
    images = np.random.default_rng(0).normal(size=(6, 5, 5, 3))
    flat = images.reshape(-1, 3)
    assert aligned("conv1.a", "conv1.a", flat, flat[:, [1, 2, 0]]).pairs.tolist() == [[0, 2], [1, 0], [2, 1]]
