"""The short ones of scikit-learn's own tests of its perceptrons, for `make test`; `make external` runs all of them, and other suites."""

import pytest

from tests.external.sklearn_mlp import *  # noqa: F403

pytestmark = pytest.mark.filterwarnings("ignore")  # of scikit-learn's doings, as it ignores them

# What takes longest, and what sets or reads private attributes.
for _long in (
    "test_partial_fit_classification", "test_lbfgs_classification", "test_mlp_loading_from_joblib_partial_fit", "test_alpha",
    "test_multilabel_classification", "test_partial_fit_regression", "test_lbfgs_regression", "test_mlp_regressor_dtypes_casting",
    "test_early_stopping", "test_mlp_classifier_dtypes_casting", "test_lbfgs_classification_maxfun", "test_warm_start",
    "test_predict_proba_multiclass", "test_n_iter_no_change_inf", "test_mlp_param_dtypes", "test_multioutput_regression",
    "test_mlp_sample_weight_with_early_stopping", "test_mlp_early_stopping_string_labels", "test_predict_proba_binary",
    "test_mlp_vs_poisson_glm_equivalent", "test_partial_fit_unseen_classes", "test_predict_proba_multilabel",
    "test_lbfgs_regression_maxfun", "test_fit", "test_gradient", "test_learning_rate_warmstart", "test_adaptive_learning_rate",
    "test_n_iter_no_change",
):  # fmt: skip
    del globals()[_long]
