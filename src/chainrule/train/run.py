"""A run: a training with all that came out of it; it can be printed, asked, saved and gone on with."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from chainrule import display
from chainrule.checks import Count, Natural, NonNegative, Positive, Regular, Seed, checked, require_place
from chainrule.data import Columns, Dataset, DatasetInfo, Example, Table, as_table
from chainrule.display import Shown
from chainrule.errors import DataError, MissingFileError, OptionError, Remedy, UnsavedRunWarning, warn
from chainrule.graph import Array, Graph
from chainrule.nn import Export
from chainrule.numerals import numeral
from chainrule.spelling import suggest
from chainrule.trace import Explanation
from chainrule.train.attribution import Attribution, why
from chainrule.train.branch import Changes, branched
from chainrule.train.compared import Compared, compared
from chainrule.train.evaluated import Evaluation, evaluation_of
from chainrule.train.evaluation import class_probabilities, decide
from chainrule.train.explain import explain, reading_of
from chainrule.train.generation import generated, token_probabilities
from chainrule.train.history import History
from chainrule.train.inputs import as_inputs
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.ledger import Ledger, Ledgers
from chainrule.train.lineage import Parent
from chainrule.train.model import Model
from chainrule.train.optimizer import Optimizer, Rate
from chainrule.train.prediction import Predictor, Programs
from chainrule.train.replay import Replay, epoch_step, steps_along
from chainrule.train.saving import make_folder, save
from chainrule.train.settings import Settings
from chainrule.train.state_nodes import told_at_random
from chainrule.train.trainer import Callback, Trainer


class Run(Shown):
    """A training and what came of it.

    `print(run)` says how well it did; `run.history` holds its curves; `run.predict(x)` uses it.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def __reduce__(self) -> tuple[object, ...]:
        # What was made on the way, such as compiled predictions, is made again where it is needed.
        return (Run, (self.trainer,))

    @property
    def problem(self) -> LearningProblem:
        """Network, data and objective."""
        return self.trainer.problem

    @property
    def export(self) -> Export:
        """The network with its scalings, for `nn.to_code` and `nn.to_peer`: what leaves the house computes what it computes here."""
        return self.problem.export

    @property
    def data(self) -> Dataset:
        """What it learned from; a saved run loads it now."""
        return self.trainer.data

    @property
    def dataset_info(self) -> DatasetInfo:
        """What the network knows of its data: names, shapes, scalings, classes, columns, vocabulary."""
        return self.problem.dataset_info

    @property
    def settings(self) -> Settings:
        """How it was trained."""
        return self.trainer.settings

    @property
    def history(self) -> History:
        """Losses of every step, scores of every evaluated epoch."""
        return self.trainer.history

    @property
    def folder(self) -> Path | None:
        """Where it is saved, if it is."""
        return self.trainer.folder.path if self.trainer.folder else None

    @property
    def unsaved(self) -> str:
        """What the system answered when its folder was last to be brought up to date: a full disk, say. "" when the folder is."""
        return self.trainer.keeper.trouble.happened if self.trainer.keeper.trouble else ""

    @checked
    def save(self, folder: str | os.PathLike[str] | None = None) -> Path:
        """Saves the run as it stands into its own folder, or with `folder` into a new one in there, which is its own from then on.

        A training saves by itself: this is for one without a folder, or whose folder could not be written. Gives the run's folder.
        Raises: UnwritableFileError, FolderInUseError; OptionError where there is no folder and none is named.

        >>> import chainrule as cr
        >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2)
        >>> saved = cr.open_run(run.save(getfixture("tmp_path")), data=cr.data.moons(60))
        >>> saved.hash == run.hash, len(saved.history.epochs)
        (True, 2)
        """
        return save(self.trainer, folder)

    @property
    def stopped(self) -> str:
        """Why it ended early; empty if it did not."""
        return self.trainer.stopped

    @checked
    def parameters(self, replica: int = 0) -> dict[str, Array]:
        """The weights of a replica by name, as copies: those that it learned, and those of frozen layers, which are as they began.

        Shapes: as the layers say, such as dense1.W (inputs, units). Raises: OptionError for a replica that there is not.
        """
        self._require_replica(replica)
        return {name: self.trainer.state[name][replica].copy() for name in self.problem.weights}

    @checked
    def states(self, replica: int = 0) -> dict[str, Array]:
        """What a replica's layers keep beside their weights, such as running statistics, by name, as copies.

        Shapes: as the layers say. Raises: OptionError for a replica that there is not.
        """
        self._require_replica(replica)
        kept = (name for name in self.trainer.states if name not in self.problem.weights)
        return {name: self.trainer.state[name][replica].copy() for name in kept}

    @checked
    def model(self, replica: int = 0) -> Model:
        """The network with a replica's learned parameters, in float64: for looking into it."""
        self._require_replica(replica)
        return self._model(self.trainer.state, replica)

    def _model(self, state: Mapping[str, Array], replica: int) -> Model:
        learned, kept = (
            {name: state[name][replica] for name in names} for names in (self.problem.parameters, self.problem.states)
        )
        return Model(self.problem, learned, states=kept)

    @checked
    def explain(self, which: Any, part: str = "test", replica: int = 0, **reading: Any) -> Explanation:
        """The whole computation of an example (its number in `part`, an Example, or (x, y)) or of a batch: forward and backward.

        `reading`: level ("picture", "numbers", "mathematics"), notation ("names", "layers", "delta", "code"), every (node by
        node), entries (parameter entries to be checked, as (name, index)), seed (of the sample that is checked otherwise).
        """
        facts: dict[str, str] = {"data": self.dataset_info.name}
        given = which
        if isinstance(which, int | np.integer):
            number = int(cast("int", which))
            facts["example"] = f"{number} of the {part} part"
            given = self.example(number, part)
        return explain(self.model(replica), given, reading_of(reading), facts)

    @checked
    def why(
        self,
        which: Any,
        instead_of: int | str | None = None,
        *,
        of: int | str | None = None,
        part: str = "test",
        baseline: Any = None,
        tolerance: Positive = 1e-4,
        replica: int = 0,
    ) -> Attribution:
        """Why this answer and not that one: what each input did for it, by integrated gradients, which add up to the difference.

        which: an example's number in `part`, an Example, an input x of the data's shape, one row of a table, or (x, y). of: the answer
        that is explained, by name or number; None is the network's. instead_of: the one that it is contrasted with; None is the next best,
        and for networks that predict numbers the output's own value at the baseline. baseline: where the way to x begins, None for the
        input that the network sees as 0: a black image, the mean of each column. tolerance: how far off the sum may be, as a share of all
        values' sizes.
        Raises: OptionError for answers that there are not, and for inputs without a derivative; ShapeError.

        >>> import chainrule as cr
        >>> run = cr.fit("2-2", cr.data.moons(60), epochs=5)
        >>> found = run.why(3)
        >>> w = run.parameters()["dense1.W"] @ ([1, -1] if found.of == "upper" else [-1, 1])
        >>> seen = run.dataset_info.scaling.apply(found.x)
        >>> bool(np.allclose(found.values, w * seen)), found.closes
        (True, True)
        """
        if isinstance(which, int | np.integer):
            number = int(cast("int", which))
            return why(
                self.model(replica),
                self.example(number, part).x,
                instead_of,
                of,
                baseline,
                tolerance,
                f"{part} example {number}",
            )
        x = which.x if isinstance(which, Example) else which
        return why(self.model(replica), x, instead_of, of, baseline, tolerance, "this example")

    @checked
    def compare(self, other: Run, *, part: str = "test", replica: int = 0, other_replica: int = 0) -> Compared:
        """Another network beside this one, on the same examples: layers, which neuron is which, and where the answers differ.

        other: a run for the same task; this run again, to compare two of its replicas. part: of this run's data; without it, its training
        part. Neurons are matched by their correlation over the examples, so that one may be the other's turned over.
        Raises: OptionError for a part or replica that there is not, ShapeError and DataError for networks of another task.

        >>> import chainrule as cr
        >>> run = cr.fit("2-4-2 tanh softmax", cr.data.moons(60), epochs=5, replicas=2)
        >>> found = run.compare(run, other_replica=1)
        >>> found.alignments[0].pairs.shape, found.agreement.total
        ((4, 2), 60)
        >>> run.compare(run).alignments[0].correlations.round(6).tolist()
        [1.0, 1.0, 1.0, 1.0]
        """
        if part == "test" and self.data.test is None:
            part = "training"
        examples = self.data.part(part)
        return compared(self.model(replica), other.model(other_replica), examples, part)

    @checked
    def example(self, number: int, part: str = "test") -> Example:
        """An example of the data by its number in a part.

        Raises: OptionError for a part or a number that the data do not have.
        """
        examples = self.data.part(part)
        require_place(f"example {number} of the {part} part", number, len(examples))
        return examples[number]

    @checked
    def plot(self, ax: Any = None) -> Any:
        """The run's learning curves, drawn into matplotlib's Axes: those given, or those of a new figure. Gives the Axes."""
        return display.ask(display.plot, self, ax)

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of all parameters and states: the same seed on the same machine gives the same."""
        return self.trainer.hash

    # ---- time travel

    @cached_property
    def _replay(self) -> Replay:
        return Replay(self.trainer)

    @cached_property
    def _ledgers(self) -> Ledgers:
        return Ledgers(self._replay)

    @checked
    def at(self, step: int | None = None, *, epoch: int | None = None) -> Run:
        """The run as it was when `step` steps, or `epoch` epochs, were done: weights, optimizer's memory and history, the same bits.

        The nearest snapshot before (without a folder: the start) is taken, and the steps since then are done again. Each loss, and
        each noted hash, is held against what happened. With early stopping the weights are the last ones, not the best.
        Raises: OptionError for a step that was not done, ReplayError where other bits come out.

        >>> import chainrule as cr
        >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=4, batch_size=10)
        >>> run.at(epoch=4).hash == run.hash, run.at(10).trainer.step
        (True, 10)
        """
        return Run(self._replay.at(epoch_step(self.trainer, step, epoch)))

    @checked
    def steps_between(self, first: int, last: int, every: Count = 1) -> Iterator[Run]:
        """The run as it was at first, first + every, ... and last; going forward once."""
        return (self.at(step) for step in steps_along(first, last, every))

    @checked
    def models(self, steps: Iterable[int], replica: int = 0) -> list[tuple[int, Model]]:
        """The network as it was at each of these steps, for looking into it; going forward once."""
        self._require_replica(replica)
        found = dict[int, Model]()
        wanted = list(steps)
        for step in sorted(set(wanted)):
            found[step] = self._model(self._replay.to(step).state, replica)
        return [(step, found[step]) for step in wanted]

    @checked
    def branch(
        self,
        step: int,
        *,
        learning_rate: Rate | None = None,
        optimizer: Optimizer | str | None = None,
        batch_size: Count | None = None,
        epochs: Natural | None = None,
        seed: Seed | None = None,
        folder: str | os.PathLike[str] | None = None,
        callbacks: Callback | Sequence[Callback] = (),
    ) -> Run:
        """A new run that starts from the state at `step` and goes on with what is changed; this run stays as it is.

        Without changes it ends with the same bits. Another optimizer starts with an empty memory and counts its updates anew; a
        schedule goes by the steps since this run's start. Another batch size may begin only at the end of an epoch: from there on
        steps are counted in the new size. epochs: how many in all, those before the branch included. seed: of the order and of
        dropout from there on. folder: where the branch's own folder is made; its configuration names this run, the step and the hash.

        >>> import chainrule as cr
        >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=4, batch_size=10)
        >>> run.branch(5).hash == run.hash, run.branch(5, learning_rate=0.1).hash == run.hash
        (True, False)
        """
        changes = Changes(learning_rate, optimizer, batch_size, epochs, seed)
        trainer = branched(self._replay.at(step), str(self.folder) if self.folder else None, changes)
        if folder is not None:
            make_folder(folder, f"{self.dataset_info.name}_branch", trainer)
        trainer.train((callbacks,) if callable(callbacks) else tuple(callbacks))
        return told(Run(trainer))

    @checked
    def ledger(self, step: int, name: str, index: int | tuple[int, ...] | None = None, *, replica: int = 0) -> Ledger:
        """Why a parameter, or one entry of it, moved from `step` to `step` + 1: the change split into its parts, which add up to it.

        The parts are each example of the batch, each penalty, clipping, what the optimizer remembers, and weight decay.

        >>> import chainrule as cr
        >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=4, batch_size=10)
        >>> ledger = run.ledger(7, "dense1.W", (0, 2))
        >>> len(ledger.contributions), bool(abs(ledger.residual) <= 2 * ledger.ulp)
        (10, True)
        """
        self._require_replica(replica)
        return self._ledgers.ledger(step, name, index, replica)

    @property
    def parent(self) -> Parent | None:
        """The run, step and hash that this one branched from, if it did."""
        return self.trainer.lineage.parent

    @checked
    def graph(self, stage: str = "forward") -> Graph:
        """The graph of one stage: "forward" for one example, or "step", the whole training step of a full batch."""
        if stage == "forward":
            return Graph({"output": self.problem.output})
        if stage == "step":
            return self.trainer.loop.graphs[self.settings.batch_size]
        raise OptionError(f"stage {stage!r}", expected='"forward" or "step"', remedy=suggest(stage, ("forward", "step")))

    @checked
    def lowered(self, stage: str) -> str:
        """The training loop on its way to machine code, as text: "schedule", "buffers", "llvm" or "assembly"."""
        return self.trainer.engine.lowered(self.trainer.loop, stage, self.settings.replicas, self.trainer.steps)

    @checked
    def evaluate(self, part: str = "test") -> Evaluation:
        """Scores and predictions on a part of the data: "training", "validation" or "test"."""
        scores = self.trainer.evaluate(part)
        return evaluation_of(self.problem, part, scores, self.data.part(part).y)

    @checked
    def doctor(self, *, try_cures: bool | int = False, replica: int = 0, only: Sequence[str] | None = None) -> Any:
        """What is the matter with the training, or that nothing is: a `Diagnosis`, which prints.

        Looked for are dead and saturated units, vanishing and exploding gradients, a learning rate that does not fit, a start that
        cannot be left, overfitting, leaks between the parts, wrong labels, and more: `chainrule.doctor.AILMENTS`. Each finding names its
        evidence and cures as code. try_cures: with how many seeds the cures are tried beside this training, True for 8. only: the
        names of the ailments that are looked for. The run stays as it is; parts of it are gone through again.
        Raises: OptionError for a replica or an ailment that there is not.

        >>> import chainrule as cr
        >>> net = cr.Sequential(cr.Dense(4, "relu", biases=cr.Constant(-9.0)), cr.Dense(2, "softmax"))
        >>> diagnosis = cr.fit(net, cr.data.moons(60), epochs=2).doctor(only=["dead units", "not learning"])
        >>> print(diagnosis["not learning"].evidence[1])
        why: dead units, see there
        """
        return display.ask(display.diagnose, self, {"try_cures": try_cures, "replica": replica, "only": only})

    @checked
    def predict(self, x: Regular, replica: int | None = 0) -> Array:
        """The outputs for inputs x (n, ...) in the data's units: (n, k); with replica=None those of all, (replicas, n, k).

        Numbers to fit are in the units of the targets, also where the loss takes outputs for their logarithms or logits.
        """
        if replica is not None:
            self._require_replica(replica)
        outputs = self._programs.predict(as_inputs(self.dataset_info, x), self.trainer.state)
        return outputs if replica is None else outputs[replica]

    @checked
    def predictor(self, replica: int = 0) -> Predictor:
        """A function from inputs to outputs at the present weights, ready to be called often: microseconds for one example."""
        self._require_replica(replica)
        return Predictor(self._programs, self.trainer.state, replica)

    @cached_property
    def _programs(self) -> Programs:
        return Programs(self.problem, self.trainer.engine, self.settings.replicas)

    @checked
    def probabilities(self, x: Regular, replica: int = 0) -> Array:
        """The probability of each class for inputs x: (n, classes).

        Raises: OptionError for a network whose outputs are no probabilities.
        """
        outputs, how = self.predict(x, replica), self.problem.probabilities
        if self.problem.classes is None or how == "none":
            raise OptionError(
                "probabilities of a network without them", expected="softmax, sigmoid or a cross-entropy", remedy="use predict"
            )
        return class_probabilities(outputs, how)

    @checked
    def classify(self, x: Regular, replica: int = 0) -> list[str]:
        """The name of the class that is predicted for each input.

        Shapes: x (n, ...) in the units of the data; n names. Raises: OptionError for a network that predicts no classes, ShapeError,
        DataError.
        """
        classes = self.problem.classes
        if classes is None:
            raise OptionError("classes of a network that predicts none", expected="a classifier", remedy="use predict")
        return [classes[label] for label in decide(self.predict(x, replica), self.problem.threshold)]

    @checked
    def encode(self, given: Any) -> Array:
        """The inputs (n, ...) that texts or the rows of a table stand for, read as the training data were.

        A text, a list of texts, a `Table`, a DataFrame, or a mapping from column to values. `predict` and its kin take texts as they are.
        Raises DataError for tokens that the vocabulary lacks, and for data that were neither texts nor a table.
        """
        columns: Columns | None = self.dataset_info.columns
        if self.dataset_info.text is not None:
            return self.dataset_info.text.encode(given)
        if columns is None:
            raise DataError(
                "this network was trained neither on a table nor on texts",
                expected="inputs as an array",
                remedy="use predict(x)",
            )
        return columns.encode(given if isinstance(given, Table) else as_table(given, **columns.form.of_cells))

    @checked
    def generate(
        self, start: str = "", tokens: Natural = 200, *, temperature: NonNegative = 1.0, seed: Seed = 0, replica: int = 0
    ) -> str:
        """The text that the network writes: `start`, and then `tokens` tokens, each drawn from what it predicts for the next.

        temperature T: tokens are drawn by softmax(log p/T): 1 is what the network believes, lower is bolder, 0 always the likeliest.
        The network sees as many of the last tokens as it was trained with, padding where the text is still shorter.
        Raises: DataError for a start with tokens that the vocabulary lacks, OptionError for a network that predicts no tokens.

        >>> import chainrule as cr
        >>> data = cr.data.next_character("abc " * 20, length=4, encoding="ids", test=0)
        >>> net = cr.Sequential(cr.OneHot(data.target_size), cr.RNN(8), cr.Dense(data.target_size, "softmax"))
        >>> cr.fit(net, data, optimizer=cr.Adam(0.03), epochs=20).generate("abc ", 12, temperature=0)
        'abc abc abc abc '
        """
        self._require_replica(replica)
        return generated(self.problem, self.predictor(replica), start, tokens, temperature, seed)

    @checked
    def token_probabilities(self, text: str, replica: int = 0) -> Array:
        """The probability of each token of the vocabulary at each place of a text, from what stands before: (tokens, vocabulary).

        Raises: as `generate` does.
        """
        return token_probabilities(self.problem, self.predictor(replica), text)

    def _require_replica(self, replica: int) -> None:
        require_place(f"replica {replica}", replica, self.settings.replicas)

    @property
    def unfinished(self) -> str:
        """What to do where the training loss was still falling when the epochs were over; empty where it was not, or nobody can tell.

        "Still" is more than three thousandths of the whole fall in the last tenth of the epochs: as many again could bring three
        hundredths. Where the loss of another part rose in that time, longer is not better, and nothing is said.
        """
        history, epochs = self.history, self.settings.epochs
        if self.stopped or self.trainer.step < self.trainer.steps or not history.late_fall() > 0:
            return ""
        whole = float(history.steps()[:, 0].mean() - history.curve()[1][-1].mean())
        share = history.late_fall() / whole if whole > 0 else 0.0
        if share < _CONVERGED or any(history.late_fall(part) < 0 for part in self.dataset_info.parts):
            return ""
        happened = (
            f"not converged: {numeral(100 * share, 2)} % of the training loss's whole fall came in the last tenth of the epochs"
        )
        longer = f"chainrule resume {shlex.quote(str(self.folder or 'RUN'))} --epochs {2 * epochs}"
        return Remedy(f"{happened}; write epochs={2 * epochs}", f"{happened}; to go on: {longer}")

    def __str__(self) -> str:
        parts = list(self.dataset_info.parts)
        try:
            lines = [str(self.evaluate("test" if "test" in parts else parts[-1]))]
        except (DataError, MissingFileError) as missing:  # an opened run is told all the same
            lines = [f"not evaluated: {missing.happened}"]
        epochs = self.trainer.step / self.trainer.steps_per_epoch
        if epochs:
            rate = self.trainer.seconds / epochs
            unit = f"{rate:.2f} s" if rate >= 0.1 else f"{numeral(rate * 1000, 2)} ms"
            of_all = f" of all {self.settings.replicas} replicas" if self.settings.replicas > 1 else ""
            of_steps = f" of {self.trainer.steps}" if self.trainer.step < self.trainer.steps else ""
            count = self.trainer.steps if of_steps else self.trainer.step
            done = f"{numeral(epochs, 6)} epoch{'s' * (epochs != 1)}, {self.trainer.step}{of_steps} step{'s' * (count != 1)}"
            lines.append(f"{done}, {unit} an epoch{of_all}, {self.settings.engine} engine")
        if tolerance := self.trainer.engine.tolerance:
            lines.append(
                f"done again, the same steps give numbers that agree to {numeral(tolerance, 2)} of their size, not to the bit"
            )
        if caveat := self.trainer.engine.caveat:
            lines.append(caveat)
        lines.append(self.problem.formula)
        if self.dataset_info.scaling_words:
            lines.append(self.dataset_info.scaling_words)
        lines.append(f"seed {self.settings.seed}, parameters {self.hash[:12]}")
        if self.trainer.frozen_at_random:
            lines.append(told_at_random(self.trainer.frozen_at_random))
        if self.stopped:
            lines.append(f"ended early: {self.stopped}")
        if self.unfinished:
            lines.append(self.unfinished)
        if self.parent:
            lines.append(f"branched from {self.parent}")
        if self.folder:
            lines.append(f"not saved: {self.unsaved}" if self.unsaved else f"saved in {self.folder}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        trainer, count = self.trainer, self.settings.replicas
        replicas = "1 replica" if count == 1 else f"{count} replicas"
        return f"<Run on {self.dataset_info.name!r}: {trainer.step} of {trainer.steps} steps, {replicas}>"


_CONVERGED = 0.003


def told(run: Run) -> Run:
    """The run, with a warning where it is in memory alone though it has a folder."""
    if run.unsaved:
        warn(
            f"the run is not saved: {run.unsaved}. It is whole in memory: run.save() tries again, run.save(folder) saves it elsewhere",
            UnsavedRunWarning,
        )
    return run
