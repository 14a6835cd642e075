"""Networks as scikit-learn's estimators: `from chainrule.sklearn import MLPClassifier`; only this loads scikit-learn."""

from chainrule.checks import answering
from chainrule.interop.sklearn import MLPClassifier, MLPRegressor, NeuralNetworkClassifier, NeuralNetworkRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "NeuralNetworkClassifier", "NeuralNetworkRegressor"]

answering(globals())
