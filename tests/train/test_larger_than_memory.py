"""Data on a disk: trained to the same bits as in memory, in less memory than they take."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(700, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture
def stays(monkeypatch):
    for place in ("chainrule.data.rows", "chainrule.data.archives"):
        monkeypatch.setattr(f"{place}.COPIED_OF_A_FILE", 0)
    monkeypatch.setattr("chainrule.data.rows.COPIED", 0)
    monkeypatch.setattr("chainrule.train.supply.COPIED", 2**11)


def trained(data, folder=None, **options):
    return cr.fit("5-4-2 tanh softmax", data, epochs=2, batch_size=17, replicas=2, folder=folder, **options)


def facts(run):
    return run.trainer.hash, run.data.hash, [run.evaluate(part).loss.tolist() for part in ("training", "test")], run.at(30).hash


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_the_same_bits_wherever_the_data_lie(tmp_path, stays, engine):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chainrule.data.rows.COPIED", 2**26)
        expected = facts(trained((X, Y), engine=engine))
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    pieces = tmp_path / "pieces"
    pieces.mkdir()
    for number, (some, labels) in enumerate(zip(np.array_split(X, 5), np.array_split(Y, 5), strict=True)):
        np.save(pieces / f"x_{number}.npy", some)
        np.save(pieces / f"y_{number}.npy", labels)
    mapped = cr.data.from_arrays(np.load(tmp_path / "x.npy", mmap_mode="r"), Y)
    for data in ((X, Y), mapped, cr.data.load(pieces), cr.data.load(tmp_path / "data.npz")):
        assert facts(trained(data, engine=engine)) == expected


def test_other_types_become_what_they_become_in_memory(tmp_path, stays):
    x = (X * 100).astype(np.int16)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", Y)
    assert facts(trained(cr.data.load(tmp_path))) == facts(trained((x, Y)))


def test_a_run_goes_on_from_its_folder(tmp_path, stays):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    run = trained(cr.data.load(tmp_path / "x.npy"), tmp_path / "runs")
    on = cr.resume(run.folder, epochs=3)
    assert on.trainer.hash == trained((X, Y)).trainer.hash or on.trainer.step == 3 * on.trainer.steps_per_epoch
    assert on.ledger(5, "dense1.W", (0, 0)).examples.x.dtype == np.float32


CHILD = """
import resource, sys, pathlib
import numpy as np, chainrule as cr
def held():
    line = next(line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
    return int(line.split()[1]) * 1024
room = 150 * 10**6
resource.setrlimit(resource.RLIMIT_DATA, (held() + room, -1))
data = cr.data.load(sys.argv[1])
run = cr.fit("100-2-2 relu softmax", data, epochs=1, batch_size=1000, evaluate_every=0)
assert np.isfinite(run.evaluate("test").loss).all()
said = float(data.notes[0].split(": at most ")[1].split(" MB")[0])
assert said * 10**6 <= room, said
print(data.train.inputs.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_a_file_larger_than_the_memory_is_trained(tmp_path):
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (500_000, 100))  # 200 MB, most of them holes
    x[:, 0] = np.arange(len(x))
    x.flush()
    np.save(tmp_path / "y.npy", np.arange(len(x)) % 2)
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == 160_000_000
