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
HOSTS = int(os.environ.get("HOSTS", "2"))  # `make external` asks for four, too
DEVICES = 4 // HOSTS

# What takes longest, importing JAX, is done once; then the process splits up: into the hosts, and one that is alone.
LAUNCHER = """
import importlib, json, os, signal, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import jax, jax.experimental.multihost_utils, jax.experimental.serialize_executable
import chainrule as cr
import chainrule.engines.native.engine, chainrule.engines.xla.engine, chainrule.train.together
from chainrule.errors import HostError
from chainrule.engines.xla.loop import XlaLoop

port, count = map(int, sys.argv[1:3])
hosts = [os.fork()]
while hosts[-1] and len(hosts) <= count:
    hosts.append(os.fork())
if hosts[-1]:
    states = [os.waitpid(host, 0)[1] for host in hosts]
    print(json.dumps([os.waitstatus_to_exitcode(state) for state in states]))
    sys.exit()
me = len(hosts) - 1  # the last one is alone
for number, name in ((1, "out"), (2, "err")):
    os.dup2(os.open(f"{me}.{name}", os.O_WRONLY | os.O_CREAT), number)
if me < count:
    os.environ["CHAINRULE_HOSTS"] = f"127.0.0.1:{port},{count},{me}"
x = np.random.default_rng(1).normal(size=(50, 2))
data = cr.data.from_arrays(x, (x.prod(1) > 0).astype(int), split=None)

def fit(replicas, data=data, **options):
    return cr.fit("2-6-2 tanh softmax", data, engine="xla", epochs=4, batch_size=9, replicas=replicas,
                  optimizer=cr.Adam(0.05), evaluate_every=0, **options)

def say(**words):
    print(json.dumps(words), flush=True)

def said(run):
    report = run.trainer.program.report()
    say(host=run.trainer.engine.hosts.number, devices=report["devices"], data=report["data"], hash=run.hash, stopped=run.stopped,
        loss=float(run.history.steps()[0, -1]), steps=run.trainer.step, folder=run.folder and str(run.folder))
"""
SCRIPT = """
said(fit(4, folder="runs" if me < count else None))

# A batch that is shared out, of rows that lie in a file: who reads which.
read = set()
class Noted:
    def __init__(self, table):
        self.table, self.shape, self.dtype = table, table.shape, table.dtype
    def __getitem__(self, rows):
        if self.dtype == np.float64:
            read.update(rows.tolist())
        return self.table[rows]

for place in ("rows.COPIED_OF_A_FILE", "archives.COPIED_OF_A_FILE", "rows.COPIED"):
    module, _, name = place.partition(".")
    setattr(importlib.import_module(f"chainrule.data.{module}"), name, 0)
plain = XlaLoop._rows_of
XlaLoop._rows_of = lambda self, table, *others: plain(self, Noted(table), *others)
file = cr.data.from_arrays(np.load("x.npy", mmap_mode="r"), np.load("y.npy"), split=None, scaling="none")
made = cr.Training("2-6-2 tanh softmax", file, engine="xla", epochs=1, batch_size=10, dtype="float64", optimizer=cr.Adam(0.05),
                   order="consecutive", evaluate_every=0)
said(made.fit())
say(read=sorted(read))
XlaLoop._rows_of = plain

if me < count:
    stop = lambda moment: moment.trainer.engine.hosts.number == 1 and moment.step >= 8
    said(fit(4, callbacks=stop))

    def leave(moment):
        if moment.trainer.engine.hosts.number == 1 and moment.step >= 8:
            os.kill(os.getpid(), signal.SIGKILL)

    fit(4, folder="left", callbacks=leave)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The folder in which the hosts worked, what each said, what went wrong, and how each ended; that of the one alone comes last."""
    folder = tmp_path_factory.mktemp("hosts")
    random = np.random.default_rng(0)
    np.save(folder / "x.npy", random.normal(size=(40, 2)))
    np.save(folder / "y.npy", random.integers(0, 2, 40))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", LAUNCHER + SCRIPT, str(port), str(HOSTS)]
    flags = {"XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={DEVICES}"}
    ran = subprocess.run(
        command, env={**os.environ, **flags}, cwd=folder, capture_output=True, text=True, check=True, timeout=240
    )
    texts = [(folder / f"{number}.out").read_text() for number in range(HOSTS + 1)]
    said = [[json.loads(line) for line in text.splitlines()] for text in texts]  # and nothing but what the program prints
    errors = [(folder / f"{number}.err").read_text() for number in range(HOSTS + 1)]
    return folder, said, errors, json.loads(ran.stdout.splitlines()[-1])


def test_hosts_compute_together_what_one_computes(told):
    folder, (*hosts, alone), *_ = told
    for number, (replicas, batches, *_) in enumerate(hosts):
        assert (replicas["host"], replicas["devices"], batches["devices"]) == (number, HOSTS * DEVICES, HOSTS * DEVICES)
        assert replicas["hash"] == alone[0]["hash"]  # replicas that are shared out keep their bits
        np.testing.assert_allclose(batches["loss"], alone[1]["loss"], rtol=1e-9)
        assert batches["hash"] == hosts[0][1]["hash"]
        assert (replicas["folder"] is not None) == (number == 0)
    assert [path.suffix for path in sorted((folder / "runs").iterdir())] == ["", ".txt"]  # one run, and what leads to it
    assert cr.open_run(folder / "runs/latest").hash == alone[0]["hash"]


def test_a_host_reads_only_its_rows_of_a_batch_that_is_shared_out(told):
    _, (*hosts, alone), *_ = told
    assert {each[1]["data"] for each in (*hosts, alone)} == {"sent piece by piece"}
    # Ten rows on four devices: three, three, three and one. Row r of step s is r·4 + s, as the order is "consecutive".
    wanted = [
        sorted(4 * row + step for step in range(4) for row in range(10)[3 * DEVICES * host :][: 3 * DEVICES])
        for host in range(HOSTS)
    ]
    assert [each[2]["read"] for each in hosts] == wanted
    assert alone[2]["read"] == list(range(40))


def test_a_stop_on_one_host_ends_all(told):
    _, (*hosts, _), *_ = told
    assert len({each[3]["steps"] for each in hosts}) == 1
    assert hosts[0][3]["steps"] < 4 * 6
    others = ["ended by another host"] * (HOSTS - 2)
    assert [each[3]["stopped"] for each in hosts] == ["ended by another host", "stopped by a callback", *others]


def test_a_host_that_goes_ends_the_training_which_goes_on_with_those_that_there_are(told):
    folder, (*_, alone), errors, status = told
    assert status[1] == -signal.SIGKILL
    assert all(ended > 0 for ended in (status[0], *status[2:HOSTS]))
    assert status[HOSTS] == 0, errors[HOSTS]
    assert f"HostError: another of the {HOSTS} hosts has gone" in errors[0]
    assert "chainrule resume" in errors[0]
    left = cr.open_run(folder / "left/latest")
    assert left.trainer.step >= 8
    x = np.random.default_rng(1).normal(size=(50, 2))
    data = cr.data.from_arrays(x, (x.prod(1) > 0).astype(int), split=None)
    assert cr.resume(left.folder, data=data).hash == alone[0]["hash"]


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
