"""Floor 3: layers, activations, losses, metrics and first values, as descriptions that add nodes to a graph."""

from chainrule.checks import answering
from chainrule.nn.ablation import Ablated
from chainrule.nn.activations import ACTIVATIONS, ActivationFunction, log_softmax, sigmoid_input, softmax, softmax_input
from chainrule.nn.augmentation import RandomBrightness, RandomFlip, RandomRotation, RandomShift
from chainrule.nn.boltzmann import RestrictedBoltzmann
from chainrule.nn.boltzmann_machine import BoltzmannMachine, bit_states
from chainrule.nn.build import Built, LayerScope, build_network, building, layer_scope
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.description import parse_network, to_text
from chainrule.nn.embedding import Embedding, OneHot
from chainrule.nn.formula import Formula
from chainrule.nn.frozen import Frozen
from chainrule.nn.function_report import FunctionReport, describe_function
from chainrule.nn.graph_layer import GraphForm, GraphInitialiser, GraphLayer, GraphUse
from chainrule.nn.hopfield import Hopfield, hopfield_energy
from chainrule.nn.hopfield_recall import Recall, hebb_weights, hopfield_recall
from chainrule.nn.initialisers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LeCunNormal,
    LeCunUniform,
    Normal,
    Uniform,
    Zeros,
)
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Function, Network, Reshape, Sequential, as_layer
from chainrule.nn.losses import (
    LOSSES,
    AbsoluteError,
    BinaryCrossEntropy,
    ChiSquared,
    CrossEntropy,
    EuclideanDistance,
    Hinge,
    Huber,
    PerceptronLoss,
    Poisson,
    SquaredError,
    Weighted,
    objective,
)
from chainrule.nn.metrics import (
    Accuracy,
    ConfusionMatrix,
    accuracy,
    confusion_matrix,
    mean_absolute_error,
    mean_squared_error,
    predicted_labels,
    r_squared,
    top_k_accuracy,
)
from chainrule.nn.normalisation import BatchNorm, GroupNorm, LayerNorm
from chainrule.nn.parts import Initialiser, Layer, LayerUse, Parameter, State
from chainrule.nn.peers import Export, Scale, from_peer, to_code, to_peer
from chainrule.nn.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, UpSample
from chainrule.nn.ranges import OutputRange, output_range
from chainrule.nn.reading import InputReading, read_input
from chainrule.nn.recording import as_graph_layer, is_kept
from chainrule.nn.recurrent import GRU, LSTM, RNN, Bidirectional, TimeDistributed
from chainrule.nn.residual import Residual
from chainrule.nn.sampling import GaussianNoise, Latent
from chainrule.nn.structure import from_json, to_json
from chainrule.nn.summary import Summary, SummaryRow, range_badge, summary, summary_of
from chainrule.nn.terms import L1, L2, Loss, Objective
from chainrule.nn.transposed import ConvTranspose1D, ConvTranspose2D

__all__ = [
    "ACTIVATIONS", "Ablated", "AbsoluteError", "Accuracy", "Activation", "ActivationFunction", "AveragePool", "BatchNorm",
    "Bidirectional", "BinaryCrossEntropy", "BoltzmannMachine", "Built", "ChiSquared", "ConfusionMatrix", "Constant",
    "Conv1D", "Conv2D", "ConvTranspose1D", "ConvTranspose2D", "CrossEntropy", "Dense", "Dropout", "TimeDistributed", "Embedding",
    "EuclideanDistance", "Export", "Flatten", "Formula", "Frozen", "Function", "FunctionReport", "GRU", "GaussianNoise",
    "GlobalAveragePool", "GlobalMaxPool", "GlorotNormal", "GlorotUniform",
    "GraphForm", "GraphInitialiser", "GraphLayer", "GraphUse", "GroupNorm", "HeNormal", "HeUniform", "Hinge", "Hopfield", "Huber",
    "Initialiser", "L1", "L2", "LOSSES", "LSTM", "Latent", "Layer", "LayerNorm", "LayerUse", "LeCunNormal", "LeCunUniform",
    "Loss", "MaxPool", "Network", "Normal", "Objective", "OneHot", "Parameter", "PerceptronLoss", "Poisson", "LayerScope", "RNN",
    "OutputRange", "InputReading", "Recall", "RandomBrightness", "RandomFlip", "RandomRotation", "RandomShift",
    "Reshape", "Residual", "RestrictedBoltzmann", "SummaryRow", "Scale", "Sequential", "SquaredError", "State",
    "Summary",
    "Uniform", "UpSample", "Weighted",
    "Zeros", "accuracy", "as_graph_layer", "as_layer", "bit_states", "build_network", "building", "confusion_matrix",
    "describe_function", "from_json", "from_peer", "hebb_weights", "hopfield_energy", "hopfield_recall", "is_kept", "log_softmax",
    "mean_absolute_error", "mean_squared_error", "parse_network", "objective", "output_range", "layer_scope", "predicted_labels",
    "r_squared", "range_badge", "read_input", "sigmoid_input", "softmax", "softmax_input", "summary", "summary_of", "to_code",
    "to_json", "to_peer", "to_text", "top_k_accuracy",
]  # fmt: skip

answering(globals())
