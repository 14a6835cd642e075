"""Several hosts, as processes of this machine: the numbers of one, one folder, and what a host that goes leaves behind."""

import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr
from chainrule.engines import HostAddress
from chainrule.errors import OptionError

pytest.importorskip("jax", reason="needs JAX")
pytestmark = pytest.mark.filterwarnings("ignore::chainrule.errors.SlowerEngineWarning")

TRAINING = """
import json, os, signal, sys, warnings
warnings.simplefilter("ignore")
import chainrule as cr

def fit(replicas, **options):
    return cr.fit("2-6-2 tanh softmax", cr.data.moons(60), engine="xla", epochs=4, batch_size=9, replicas=replicas,
                  optimizer=cr.Adam(0.05), **options)
"""


def hosts(count, script, folder, devices=1):
    """The script on so many hosts, each in a process of its own: what it printed, what went wrong, and the exit status."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for number in range(count):
        own = {"CHAINRULE_HOSTS": f"127.0.0.1:{port},{count},{number}"}
        flags = {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"}
        given = {"env": {**os.environ, **own, **flags}, "cwd": folder, "text": True}
        command = [sys.executable, "-c", TRAINING + script]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **given))
    return [(*process.communicate(timeout=240), process.returncode) for process in started]


def told(out):
    """What a script printed as JSON, among what JAX has to say."""
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


SAID = """
    engine, report = run.trainer.engine, run.trainer.program.report()
    loss = float(run.trainer.history.chunks[-1][1]["loss"][0, -1])
    print(json.dumps({"host": engine.hosts.number, "devices": report["devices"], "hash": run.hash, "loss": loss,
                      "folder": run.folder and str(run.folder)}), flush=True)
"""


def test_hosts_compute_together_what_one_computes(tmp_path):
    script = f"for run in (fit(4, folder='runs'), fit(1)):{SAID}"
    found = hosts(2, script, tmp_path, devices=2)
    assert [status for _, _, status in found] == [0, 0], found
    said = [told(out) for out, _, _ in found]
    options = {"epochs": 4, "batch_size": 9, "optimizer": cr.Adam(0.05)}
    shared = cr.fit("2-6-2 tanh softmax", cr.data.moons(60), engine="xla", replicas=4, **options)
    single = cr.fit("2-6-2 tanh softmax", cr.data.moons(60), engine="xla", **options)
    for number, (replicas, batches) in enumerate(said):
        assert (replicas["host"], replicas["devices"], batches["devices"]) == (number, 4, 4)
        assert replicas["hash"] == shared.hash  # replicas that are shared out keep their bits
        np.testing.assert_allclose(batches["loss"], single.trainer.history.chunks[-1][1]["loss"][0, -1], rtol=1e-4)
        assert batches["hash"] == said[0][1]["hash"]
        assert (replicas["folder"] is not None) == (number == 0)
    assert [path.suffix for path in sorted((tmp_path / "runs").iterdir())] == ["", ".txt"]  # one run, and what leads to it
    assert cr.open_run(tmp_path / "runs/latest").hash == shared.hash


def test_four_hosts_share_the_rows_of_a_batch(tmp_path):
    found = hosts(4, f"for run in (fit(1, dtype='float64'),):{SAID}", tmp_path)
    assert [status for _, _, status in found] == [0] * 4, found
    said = [told(out)[0] for out, _, _ in found]
    single = cr.fit("2-6-2 tanh softmax", cr.data.moons(60), epochs=4, batch_size=9, optimizer=cr.Adam(0.05), dtype="float64")
    assert [(each["host"], each["devices"]) for each in said] == [(number, 4) for number in range(4)]
    assert len({each["hash"] for each in said}) == 1
    np.testing.assert_allclose(said[0]["loss"], single.trainer.history.chunks[-1][1]["loss"][0, -1], rtol=1e-9)


DYING = """
def leave(moment):
    if moment.trainer.engine.hosts.number == 1 and moment.kind == "epoch" and moment.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)

fit(4, folder="runs", callbacks=leave)
"""


def test_a_host_that_goes_ends_the_training_which_goes_on_with_those_that_there_are(tmp_path):
    (_, error, status), (_, _, killed) = hosts(2, DYING, tmp_path)
    assert (killed, status != 0) == (-signal.SIGKILL, True)
    assert "HostError: another of the 2 hosts has gone" in error
    assert "chainrule resume" in error
    left = cr.open_run(tmp_path / "runs/latest")
    assert left.trainer.step >= left.trainer.steps_per_epoch
    options = {"epochs": 4, "batch_size": 9, "optimizer": cr.Adam(0.05)}
    whole = cr.fit("2-6-2 tanh softmax", cr.data.moons(60), engine="xla", replicas=4, **options)
    assert cr.resume(tmp_path / "runs/latest").hash == whole.hash


def test_a_stop_on_one_host_ends_all(tmp_path):
    stop = "run = fit(2, callbacks=lambda moment: moment.trainer.engine.hosts.number == 1 and moment.epoch == 2)\n"
    said = f"{stop}for run in (run,):{SAID}    print(json.dumps({{'steps': run.trainer.step, 'why': run.stopped}}))"
    found = [told(out)[1] for out, _, _ in hosts(2, said, tmp_path)]
    assert found[0]["steps"] == found[1]["steps"] < 4 * 6
    assert [each["why"] for each in found] == ["ended by another host", "stopped by a callback"]


@pytest.mark.parametrize("text", ["here", "10.0.0.1:7000", "10.0.0.1:7000,2", "10.0.0.1,2,0", "a:1,2,2", "a:1,0,0", "a:1,2,-1"])
def test_an_address_that_is_none_is_refused(text, monkeypatch):
    with pytest.raises(OptionError, match="COUNT,NUMBER"):
        HostAddress.parse(text)
    monkeypatch.setenv("CHAINRULE_HOSTS", text)
    with pytest.raises(OptionError, match="CHAINRULE_HOSTS"):
        cr.fit("2-2-2", cr.data.moons(20), engine="xla", epochs=1)


def test_an_engine_of_one_machine_says_so(monkeypatch):
    monkeypatch.setenv("CHAINRULE_HOSTS", "auto")
    with pytest.raises(OptionError, match="with the native engine"):
        cr.fit("2-2-2", cr.data.moons(20), epochs=1)
