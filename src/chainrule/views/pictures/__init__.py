"""Pictures: what the lectures draw, of the user's own networks, data and runs; each a set of numbers that can be drawn."""

from chainrule.checks import answering
from chainrule.views.pictures.applications.codes import (
    CodeGrid,
    ImageRows,
    Interpolation,
    LatentMap,
    Reconstructions,
    code_grid,
    interpolation,
    latent_map,
    reconstructions,
)
from chainrule.views.pictures.applications.context import ContextCurve, context_curve
from chainrule.views.pictures.applications.energies import (
    Dreams,
    LikelihoodCurves,
    StateProbabilities,
    dreams,
    likelihood_curves,
    state_probabilities,
)
from chainrule.views.pictures.applications.language import (
    EmbeddingMap,
    NextTokens,
    TextSurprise,
    WordWeights,
    embedding_map,
    next_tokens,
    surprises,
    text_surprise,
    word_weights,
)
from chainrule.views.pictures.applications.learned_picture import LearnedPicture, learned_picture, psnr
from chainrule.views.pictures.applications.measured import LawAndBand, PullHistogram
from chainrule.views.pictures.applications.memories import (
    OverlapAgainstLoad,
    Recollection,
    overlap_against_load,
    recollection,
)
from chainrule.views.pictures.applications.memory import (
    GradientDecay,
    GradientsThroughTime,
    MemoryOverTime,
    StepContributions,
    finite_differences,
    gradient_decay,
    gradients_through_time,
    memory_over_time,
    step_contributions,
)
from chainrule.views.pictures.applications.motion import EquationSolved, ErrorsInTime, HiddenPath
from chainrule.views.pictures.applications.phases import (
    ConfusionCurve,
    CumulantCrossing,
    LatticeSheet,
    OrderSeen,
    PhaseCurves,
    SizeExtrapolation,
)
from chainrule.views.pictures.applications.spans import (
    AccuracyAgainstGap,
    AnswersOverTime,
    accuracy_against_gap,
    answers_over_time,
)
from chainrule.views.pictures.experiments.by_size import BySize, by_size
from chainrule.views.pictures.experiments.contrasts import AgainstParameters, Contrasts, Sweep
from chainrule.views.pictures.experiments.memorization import AgainstUpdates, LearningMap, curve_over, learning_map
from chainrule.views.pictures.experiments.power_laws import LossesAgainstWidth, PowerLawPicture
from chainrule.views.pictures.experiments.suspects import FoundAmongFirst, SuspectSheet, found_among_first
from chainrule.views.pictures.features.biography import NeuronBiography, neuron_biography
from chainrule.views.pictures.features.detectors import DetectorTest, NoiseConfidence, confidence_on_noise, detector_test
from chainrule.views.pictures.features.edges import EdgeLikeness, edge_likeness
from chainrule.views.pictures.features.maps import FeatureMaps, Kernels, feature_maps, kernels
from chainrule.views.pictures.features.probes import LinearProbes, linear_probes
from chainrule.views.pictures.features.removal import LayerAblation, layer_ablation
from chainrule.views.pictures.features.representations import LayerProjections, layer_projections
from chainrule.views.pictures.features.weights import EdgeResponse, NeuronImages, edge_detector, edge_weights, neuron_images
from chainrule.views.pictures.functions.activations import (
    ActivationCurve,
    ActivationGallery,
    SoftmaxSteps,
    activation_curve,
    activation_gallery,
    softmax_steps,
)
from chainrule.views.pictures.functions.capacity import ErrorAgainstNeurons, error_against_neurons
from chainrule.views.pictures.functions.fits import Contributions, Fit, fit_1d, hidden_contributions
from chainrule.views.pictures.functions.linear import DecisionLine, LinearLayers, decision_line, two_linear_layers
from chainrule.views.pictures.functions.losses import ProbabilityTriangle, probability_triangle
from chainrule.views.pictures.functions.neurons import FiringFraction, Sharpness, firing_fraction, sharpness
from chainrule.views.pictures.functions.surfaces import NeuronSteps, NeuronSurface, Surface, neuron_steps, neuron_surface
from chainrule.views.pictures.learning.comparison import ActivationComparison, activation_comparison
from chainrule.views.pictures.learning.curves import LearningCurves, RunComparison, compare_runs, learning_curves
from chainrule.views.pictures.learning.depth import GradientSizes, gradient_sizes
from chainrule.views.pictures.learning.descent import CostCurveStarts, GradientField, cost_curve_starts, gradient_field
from chainrule.views.pictures.learning.directions import BatchAngles, Hebb, batch_angles, hebb
from chainrule.views.pictures.learning.effects import StepEffect, step_effect
from chainrule.views.pictures.learning.gradients import AveragedWishes, GradientEntries, averaged_wishes, gradient_entries
from chainrule.views.pictures.learning.health import DeadAndSaturated, WeightHistograms, dead_and_saturated, weight_histograms
from chainrule.views.pictures.learning.landscape import (
    CostOverWeight,
    DifferenceQuotients,
    cost_over_weight,
    difference_quotients,
)
from chainrule.views.pictures.learning.ledger import LedgerPicture, ledger_picture
from chainrule.views.pictures.learning.nudging import Nudges, OutputNudges, Wishes, nudges, output_nudges, wishes
from chainrule.views.pictures.learning.proxies import (
    BatchStatistics,
    LossAgainstMetric,
    batch_statistics,
    loss_against_metric,
    updates_per_epoch,
)
from chainrule.views.pictures.learning.speed import TimePerExample, time_per_example
from chainrule.views.pictures.learning.terrain import CostSurface, PathOfRun, cost_surface, path_of_run
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.ranked import Ranked
from chainrule.views.pictures.results.mistakes import (
    JudgedSheet,
    ResidualSheet,
    largest_residuals,
    least_sure,
    surest_right,
    worst_mistakes,
)
from chainrule.views.pictures.results.results import (
    ConfusionPicture,
    RegressionFit,
    Reliability,
    confusion_picture,
    regression_fit,
    reliability,
)
from chainrule.views.pictures.results.samples import ClassShares, ExampleSheet, class_shares, data_examples

__all__ = [
    "Picture", "Ranked",
    # of functions
    "ActivationComparison", "ActivationCurve", "ActivationGallery", "Contributions", "CostCurveStarts", "DecisionLine",
    "ErrorAgainstNeurons", "FiringFraction", "Fit", "GradientField", "LinearLayers", "NeuronSteps", "NeuronSurface",
    "ProbabilityTriangle", "Sharpness", "SoftmaxSteps", "Surface", "TimePerExample", "activation_comparison",
    "activation_curve", "activation_gallery", "cost_curve_starts", "decision_line", "error_against_neurons", "firing_fraction",
    "fit_1d", "gradient_field", "hidden_contributions", "neuron_steps", "neuron_surface", "probability_triangle",
    "sharpness", "softmax_steps", "time_per_example", "two_linear_layers",
    # of learning
    "AveragedWishes", "BatchAngles", "BatchStatistics", "CostOverWeight", "CostSurface", "DeadAndSaturated",
    "DifferenceQuotients", "GradientEntries", "GradientSizes", "Hebb", "LearningCurves", "LedgerPicture",
    "LossAgainstMetric", "Nudges", "OutputNudges", "PathOfRun", "RunComparison", "StepEffect", "WeightHistograms", "Wishes",
    "averaged_wishes", "batch_angles", "batch_statistics", "compare_runs", "cost_over_weight", "cost_surface",
    "dead_and_saturated", "difference_quotients", "gradient_entries", "gradient_sizes", "hebb", "learning_curves",
    "ledger_picture", "loss_against_metric", "nudges", "output_nudges", "path_of_run", "step_effect", "updates_per_epoch",
    "weight_histograms", "wishes",
    # of codes
    "BySize", "CodeGrid", "ImageRows", "Interpolation", "LatentMap", "LearnedPicture", "Reconstructions", "by_size", "code_grid",
    "interpolation", "latent_map", "learned_picture", "psnr", "reconstructions",
    # of physics
    "CumulantCrossing", "LatticeSheet", "OrderSeen", "PhaseCurves", "SizeExtrapolation",
    # of generalisation
    "AgainstParameters", "AgainstUpdates", "Contrasts", "FoundAmongFirst", "LearningMap", "LossesAgainstWidth",
    "PowerLawPicture", "SuspectSheet", "Sweep", "curve_over", "found_among_first", "learning_map",
    "EquationSolved", "ErrorsInTime", "HiddenPath", "LawAndBand",
    "PullHistogram",
    "ConfusionCurve",
    # of language
    "ContextCurve", "EmbeddingMap", "NextTokens", "TextSurprise", "WordWeights", "context_curve", "embedding_map",
    "next_tokens", "surprises", "text_surprise", "word_weights",
    # of memory
    "AccuracyAgainstGap", "AnswersOverTime", "GradientDecay", "GradientsThroughTime", "MemoryOverTime", "StepContributions",
    "accuracy_against_gap", "answers_over_time", "finite_differences", "gradient_decay", "gradients_through_time",
    "memory_over_time", "step_contributions",
    # of results
    "ClassShares", "ConfusionPicture", "DetectorTest", "EdgeLikeness", "EdgeResponse", "ExampleSheet", "FeatureMaps",
    "JudgedSheet", "Kernels",
    "LayerAblation", "LayerProjections", "LinearProbes", "NeuronBiography", "NeuronImages", "NoiseConfidence",
    "RegressionFit", "Reliability", "ResidualSheet", "class_shares", "confidence_on_noise", "confusion_picture",
    "data_examples", "detector_test", "edge_detector", "edge_likeness", "edge_weights", "feature_maps", "kernels", "largest_residuals",
    "layer_ablation", "layer_projections", "least_sure", "linear_probes", "neuron_biography", "neuron_images",
    "regression_fit", "reliability", "surest_right", "worst_mistakes",
    # machines and memories with an energy
    "Dreams", "LikelihoodCurves", "OverlapAgainstLoad", "Recollection", "StateProbabilities", "dreams", "likelihood_curves",
    "overlap_against_load", "recollection", "state_probabilities",
]  # fmt: skip

answering(globals())
