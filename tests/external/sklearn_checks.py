"""Every check that scikit-learn has for a classifier or a regressor, on each of ours, with nothing expected to fail.

`make external` runs them; not named test_*, so that `make test` does not.
"""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import chainrule as cr
from chainrule.sklearn import MLPClassifier, MLPRegressor, NeuralNetworkClassifier, NeuralNetworkRegressor

EXPECTED_TO_FAIL: dict[str, str] = {}
ESTIMATORS = [
    MLPClassifier(max_iter=100),
    MLPClassifier(solver="lbfgs", max_iter=100),
    MLPClassifier(solver="sgd", learning_rate_init=0.1, max_iter=100),
    MLPRegressor(max_iter=100),
    MLPRegressor(solver="lbfgs", max_iter=100),
    NeuralNetworkClassifier(optimizer=cr.Adam(0.01)),
    NeuralNetworkClassifier(optimizer=cr.Adam(0.01), replicas=2),
    NeuralNetworkRegressor(),
    NeuralNetworkRegressor(replicas=2),
]


# scikit-learn warns of its own doings (deprecations, convergence, classes outside its package).
@pytest.mark.filterwarnings("default")
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: EXPECTED_TO_FAIL)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)
