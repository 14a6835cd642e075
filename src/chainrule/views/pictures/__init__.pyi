"""The pictures, name by name: read by type checkers, and at run time to load what is asked for."""

from .applications.codes import code_grid, interpolation, latent_map, reconstructions
from .applications.context import context_curve
from .applications.energies import dreams, likelihood_curves, state_probabilities
from .applications.language import embedding_map, next_tokens, surprises, text_surprise, word_weights
from .applications.learned_picture import learned_picture, psnr
from .applications.measured import law_and_band, pull_histogram
from .applications.memories import overlap_against_load, recollection
from .applications.memory import (
    finite_differences,
    gradient_decay,
    gradients_through_time,
    memory_over_time,
    step_contributions,
)
from .applications.motion import equation_solved, errors_in_time, hidden_path
from .applications.phases import (
    confusion_curve,
    cumulant_crossing,
    lattice_sheet,
    order_seen,
    phase_curves,
    size_extrapolation,
)
from .applications.spans import GapScores, accuracy_against_gap, answers_over_time, scores_by_gap
from .experiments.by_size import by_size
from .experiments.contrasts import against_parameters, contrasts, sweep
from .experiments.memorization import against_updates, curve_over, learning_map
from .experiments.power_laws import losses_against_width, power_law
from .experiments.suspects import found_among_first, suspect_sheet
from .experiments.sweeps import learning_rates, sweep_scores
from .features.biography import effects_of_removal, neuron_biography
from .features.detectors import Detectors, confidence_on_noise, detector_test, detectors
from .features.edges import edge_likeness
from .features.maps import channels_of, feature_maps, kernels
from .features.probes import linear_probes
from .features.removal import layer_ablation
from .features.representations import layer_projections, projections
from .features.weights import edge_detector, edge_weights, neuron_images
from .functions.activations import activation_curve, activation_gallery, softmax_steps
from .functions.capacity import error_against_neurons
from .functions.fits import fit_1d, hidden_contributions
from .functions.linear import decision_line, two_linear_layers
from .functions.losses import probability_triangle
from .functions.neurons import firing_fraction, sharpness
from .functions.surfaces import neuron_steps, neuron_surface
from .learning.comparison import activation_comparison
from .learning.curves import compare_runs, learning_curves
from .learning.depth import gradient_sizes
from .learning.descent import cost_curve_starts, gradient_field
from .learning.directions import batch_angles, hebb
from .learning.effects import step_effect
from .learning.gradients import GradientEntries, averaged_wishes, gradient_entries, ranked_entries
from .learning.health import dead_and_saturated, health_of_layers, health_table, weight_histograms
from .learning.landscape import cost_over_weight, difference_quotients, quotient_table
from .learning.ledger import ledger_picture
from .learning.nudging import Nudges, nudges, output_nudges, three_ways, wishes
from .learning.proxies import batch_statistics, loss_against_metric, updates_per_epoch
from .learning.speed import time_per_example
from .learning.terrain import cost_surface, path_of_run
from .results.attributions import attribution
from .results.compared import compared
from .results.mistakes import largest_residuals, least_sure, surest_right, worst_mistakes
from .results.results import confusion_picture, regression_fit, reliability
from .results.samples import class_shares, data_examples
from .suited import Table, View

__all__ = [
    "Table", "View", "of",
    # functions
    "activation_curve", "activation_gallery", "decision_line", "error_against_neurons", "firing_fraction", "fit_1d",
    "hidden_contributions", "neuron_steps", "neuron_surface", "probability_triangle", "sharpness", "softmax_steps",
    "two_linear_layers",
    # learning
    "GradientEntries", "Nudges", "activation_comparison", "averaged_wishes", "batch_angles", "batch_statistics",
    "compare_runs", "cost_curve_starts", "cost_over_weight", "cost_surface", "dead_and_saturated", "difference_quotients",
    "gradient_entries", "gradient_field", "gradient_sizes", "health_of_layers", "health_table", "hebb", "learning_curves",
    "ledger_picture", "loss_against_metric", "nudges", "output_nudges", "path_of_run", "quotient_table", "ranked_entries",
    "step_effect", "three_ways", "time_per_example", "updates_per_epoch", "weight_histograms", "wishes",
    # results
    "attribution", "class_shares", "compared", "confusion_picture",
    "data_examples", "largest_residuals", "least_sure", "regression_fit", "reliability",
    "surest_right", "worst_mistakes",
    # features
    "Detectors", "channels_of", "confidence_on_noise", "detector_test", "detectors", "edge_detector", "edge_likeness",
    "edge_weights", "effects_of_removal", "feature_maps", "kernels", "layer_ablation", "layer_projections", "linear_probes",
    "neuron_biography", "neuron_images", "projections",
    # applications
    "GapScores", "accuracy_against_gap", "answers_over_time", "code_grid", "confusion_curve", "context_curve",
    "cumulant_crossing", "dreams", "embedding_map", "equation_solved", "errors_in_time", "finite_differences",
    "gradient_decay", "gradients_through_time", "hidden_path", "interpolation", "latent_map", "lattice_sheet", "law_and_band",
    "learned_picture", "likelihood_curves", "memory_over_time", "next_tokens", "order_seen", "overlap_against_load",
    "phase_curves", "psnr", "pull_histogram", "recollection", "reconstructions", "scores_by_gap", "size_extrapolation",
    "state_probabilities", "step_contributions", "surprises", "text_surprise", "word_weights",
    # experiments
    "against_parameters", "against_updates", "by_size", "contrasts", "curve_over", "found_among_first", "learning_map",
    "learning_rates", "losses_against_width", "power_law", "suspect_sheet", "sweep", "sweep_scores",
]  # fmt: skip

def of(thing: object) -> Table: ...
