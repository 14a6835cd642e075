"""Floor 5.5: sweeps: many trainings instead of one, done by whoever there is, and compared with error bars."""

from chainrule.checks import answering
from chainrule.sweeps.compared import Beside, Sweep
from chainrule.sweeps.learning_rates import LearningRates, Rising, find_learning_rate
from chainrule.sweeps.optuna import optuna_objective
from chainrule.sweeps.ray import RayExecutor
from chainrule.sweeps.space import Between, Grid, Halving, Random, Sobol
from chainrule.sweeps.sweep import open_sweep, sweep
from chainrule.sweeps.trial import Trial

__all__ = [
    "Beside", "Between", "Grid", "Halving", "LearningRates", "Random", "RayExecutor", "Rising", "Sobol", "Sweep", "Trial",
    "find_learning_rate", "open_sweep", "optuna_objective", "sweep",
]  # fmt: skip

answering(globals())
