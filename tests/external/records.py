"""Curves written for MLflow and Weights & Biases, read back by MLflow's client and from the file that W&B uploads."""

import time

import mlflow
import numpy as np
import pytest
from wandb.proto.wandb_internal_pb2 import Record

import chainrule as cr
from chainrule.interop.records import hyperparameters
from tests.interop.test_records import MOONS, NET, failing, scores


@pytest.mark.filterwarnings("ignore")
def test_mlflow_reads_parameters_and_metrics(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    callback = cr.MLflow("moons", run_name="first", tracking_uri=uri)
    run = cr.fit(NET, MOONS, epochs=3, replicas=2, loss=cr.CrossEntropy() + cr.L2(0.01), callbacks=callback)
    with pytest.raises(RuntimeError, match="mine"):
        cr.fit(NET, MOONS, epochs=5, batch_size=20, callbacks=[callback, failing])
    cr.fit(NET, MOONS, epochs=1, callbacks=callback)
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("moons").experiment_id
    _, failed, made = client.search_runs([experiment], order_by=["attributes.start_time DESC"])
    assert (made.info.run_name, made.info.status, failed.info.status) == ("first", "FINISHED", "FAILED")
    assert made.data.params == {name: str(value) for name, value in hyperparameters(run.trainer).items()}
    for name, (epochs, values) in scores(run.history).items():
        for key, expected in {name: values.mean(1), f"{name}/standard_error": np.abs(values[:, 0] - values[:, 1]) / 2}.items():
            metrics = client.get_metric_history(made.info.run_id, key)
            assert [metric.step for metric in metrics] == epochs.tolist()
            assert np.allclose([metric.value for metric in metrics], expected, rtol=1e-12, atol=1e-15)


def wandb_records(path):
    """The records of an offline run: LevelDB's log of blocks, behind a head of seven bytes."""
    content, place, whole = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
        size, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        place += 7 + size
        if place > len(content):  # still being written
            return
        whole += content[place - size : place]
        if kind in {1, 4}:
            yield Record.FromString(whole)
            whole = b""


@pytest.mark.filterwarnings("ignore")
def test_an_offline_run_of_wandb_holds_config_and_curves(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = cr.fit(NET, MOONS, epochs=3, replicas=2, callbacks=cr.WandB("moons", name="first", folder=tmp_path))
    (path,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    until = time.monotonic() + 10  # W&B's own process may write the end of the file after the run is finished here
    while not any(record.HasField("exit") for record in wandb_records(path)) and time.monotonic() < until:
        time.sleep(0.05)
    records = list(wandb_records(path))
    config = {item.key: item.value_json for record in records for item in record.run.config.update}
    assert config["optimizer"] == '"Adam"'
    rows = [
        {item.key or "/".join(item.nested_key): float(item.value_json) for item in record.history.item}
        for record in records
        if record.HasField("history")
    ]
    for name, (epochs, values) in scores(run.history).items():
        assert [row["epoch"] for row in rows] == epochs.tolist()
        assert np.allclose([row[name] for row in rows], values.mean(1), rtol=1e-12)
    assert [record.exit.exit_code for record in records if record.HasField("exit")] == [0]
