"""Sweeps on Ray and by MPI: what other schedulers do is what this process does."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule as cr

SPACE = {"batch_size": [10, 20, 30]}


def training():
    return cr.Training("2-4-2 tanh softmax", cr.data.moons(100, noise=0.2), epochs=5, batch_size=10, threads=1)


def scores(sweep):
    return {trial.name: trial.scores.tolist() for trial in sweep.trials}


@pytest.fixture(scope="module")
def alone():
    return scores(cr.sweep(training(), SPACE, replicas=2))


def test_ray(tmp_path, alone):
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        found = cr.sweep(training(), SPACE, replicas=2, executor=cr.sweeps.RayExecutor(num_cpus=1), folder=tmp_path)
    finally:
        ray.shutdown()
    assert scores(found) == alone


BY_MPI = """
import chainrule as cr
from mpi4py.futures import MPIPoolExecutor

if __name__ == "__main__":
    training = cr.Training("2-4-2 tanh softmax", cr.data.moons(100, noise=0.2), epochs=5, batch_size=10, threads=1)
    with MPIPoolExecutor() as executor:
        cr.sweep(training, {"batch_size": [10, 20, 30]}, replicas=2, executor=executor, folder="sweep")
"""


def test_mpi(tmp_path, alone):
    pytest.importorskip("mpi4py")
    mpiexec = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("needs mpiexec")
    (tmp_path / "by_mpi.py").write_text(BY_MPI)
    command = [mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", "by_mpi.py"]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=300)
    assert scores(cr.open_sweep(tmp_path / "sweep")) == alone
