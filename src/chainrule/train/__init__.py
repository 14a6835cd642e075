"""Floor 5: training a network on data: optimizers, the loop, runs and their folders."""

from chainrule.checks import answering
from chainrule.train.attribution import Attribution
from chainrule.train.batches import batch_sizes
from chainrule.train.compared import Alignment, Compared
from chainrule.train.evaluated import UNDEFINED, Evaluation, evaluation_of, r_squared_text, with_error
from chainrule.train.evaluation import Evaluator, Scores, class_probabilities, class_shares, decide
from chainrule.train.fit import fit, open_run, resume
from chainrule.train.folder import RunFolder, Snapshot
from chainrule.train.full_batch import FullBatch
from chainrule.train.history import Epoch, History
from chainrule.train.inputs import as_inputs
from chainrule.train.lbfgs import LBFGS, minimise
from chainrule.train.learning_problem import Cost, LearningProblem
from chainrule.train.ledger import Contribution, Ledger
from chainrule.train.levenberg import LevenbergMarquardt
from chainrule.train.model import Model
from chainrule.train.optimizer import Optimizer
from chainrule.train.optimizers import (
    OPTIMIZERS,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    ClipNorm,
    ClipValue,
    PerceptronRule,
    RMSprop,
)
from chainrule.train.orders import ConsecutiveOrder, Order, OrderName
from chainrule.train.plateau import ReduceOnPlateau
from chainrule.train.prediction_history import PredictionHistory, prediction_history
from chainrule.train.run import Run
from chainrule.train.scales import suited
from chainrule.train.schedules import (
    ConstantRate,
    Cosine,
    InverseScaling,
    InverseSquareRoot,
    MultiStepDecay,
    Schedule,
    StepDecay,
    WarmUp,
)
from chainrule.train.settings import Settings, optimizer_named
from chainrule.train.stepwise import StepTrainer
from chainrule.train.stopping import EarlyStopping
from chainrule.train.trainer import Callback, Trainer, TrainingProgress
from chainrule.train.training import Training
from chainrule.train.usual import usual_batch_size, usual_network

__all__ = [
    "AdaGrad", "Adam", "AdamW", "Alignment", "Attribution", "Compared",
    "Callback", "ClipNorm", "ClipValue", "ConsecutiveOrder", "ConstantRate", "Contribution",
    "Cosine", "Cost", "EarlyStopping", "Epoch", "Evaluation", "Evaluator", "FullBatch", "History", "InverseScaling",
    "InverseSquareRoot", "LBFGS",
    "LearningProblem", "Ledger", "LevenbergMarquardt", "Model", "MultiStepDecay", "OPTIMIZERS", "Optimizer", "Order", "OrderName",
    "PerceptronRule", "PredictionHistory", "RMSprop", "ReduceOnPlateau", "Run", "RunFolder", "SGD", "Schedule", "Scores", "Settings",
    "Snapshot", "StepDecay", "StepTrainer", "Trainer", "Training", "TrainingProgress", "UNDEFINED", "WarmUp", "as_inputs", "batch_sizes",
    "class_probabilities", "class_shares", "decide", "evaluation_of", "fit", "minimise", "open_run",
    "optimizer_named", "prediction_history", "r_squared_text", "resume", "suited", "usual_batch_size", "usual_network", "with_error",
]  # fmt: skip

answering(globals())
