"""What scikit-learn's tools take: `from chainrule.sklearn import MLPClassifier`; needs scikit-learn, which is loaded here and nowhere else."""

from chainrule.interop.sklearn import MLPClassifier, MLPRegressor, NeuralNetworkClassifier, NeuralNetworkRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "NeuralNetworkClassifier", "NeuralNetworkRegressor"]
