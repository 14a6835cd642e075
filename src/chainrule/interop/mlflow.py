"""A training's settings and curves as a run of MLflow."""

from __future__ import annotations

import time
from typing import Any

from chainrule.checks import answered, checked
from chainrule.interop.records import Record, Records, averages, hyperparameters, required
from chainrule.train import Trainer


@answered
@checked
class MLflow(Records):
    """A callback that makes a run of MLflow: data, network and settings as its parameters, each score as a metric by epoch.

    experiment: made if it is not there. run_name: None for one that MLflow makes up. tracking_uri: None for MLflow's own choice, which goes
    by MLFLOW_TRACKING_URI. Of several replicas a metric is the mean, and its standard error is a metric beside it. A training that an
    error ended is FAILED, at the latest when the callback is used again or Python ends. Raises: MissingPackageError without mlflow.
    """

    def __init__(self, experiment: str = "Default", *, run_name: str | None = None, tracking_uri: str | None = None) -> None:
        self.experiment, self.run_name, self.tracking_uri = experiment, run_name, tracking_uri
        _ = self._mlflow

    @property
    def _mlflow(self) -> Any:
        return required("mlflow", "mlflow")

    def record(self, trainer: Trainer) -> Record:
        """The run of a training."""
        metric, parameter = self._mlflow.entities.Metric, self._mlflow.entities.Param
        client = self._mlflow.MlflowClient(tracking_uri=self.tracking_uri)
        found = client.get_experiment_by_name(self.experiment)
        identity = found.experiment_id if found else client.create_experiment(self.experiment)
        run = client.create_run(identity, run_name=self.run_name).info.run_id
        client.log_batch(run, params=[parameter(name, str(value)) for name, value in hyperparameters(trainer).items()])
        status = "FAILED"
        try:
            while epoch := (yield):
                now = int(1000 * time.time())
                client.log_batch(run, [metric(name, value, now, epoch.epoch) for name, value in averages(epoch).items()])
            status = "FINISHED"
        finally:
            client.set_terminated(run, status)
