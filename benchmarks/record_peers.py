"""Records what PyTorch and Keras make of the networks of tests/nn/peer_cases.py, in tests/nn/recorded_peers.json.

Needs PyTorch, Keras 3 and JAX. Run as `python benchmarks/record_peers.py` after a change of the code that is written for them; what
has changed shows in the diff. Each network keeps the weights that the peer gave it, moved a little so that none is 0 or 1 (running
statistics and biases are at first), and rounded. Recorded are its code, its arrays, its output and the derivative of the output's
weighed sum by the input.
PyTorch runs in float64. Keras runs on JAX, in float32: there its functions make float32 of float64.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "nn"))
os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras
import numpy as np
import peer_cases
import torch
from peer_cases import CASES, Case, channels_first, laid_out

from chainrule.nn import to_code


def pulled(output: np.ndarray, *, first: bool = False) -> np.ndarray:
    """What the output's numbers are weighed by for the derivative: all different, in the order of ours, with channels last."""
    last = np.moveaxis(output, 1, -1) if first and output.ndim > 2 else output
    return laid_out(np.cos(np.arange(last.size)).reshape(last.shape), first=first)


def moved(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The array, moved a little and rounded; whole numbers stay."""
    return array if array.dtype.kind == "i" else (array + random.uniform(0.05, 0.25, array.shape)).round(3)


def by_pytorch(case: Case, code: str) -> dict:
    """Output, derivative and arrays as PyTorch has them."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    network = executed(code).eval()
    random = np.random.default_rng(0)
    arrays = {name: moved(tensor.numpy(), random) for name, tensor in network.state_dict().items()}
    for name, module in network.named_modules():
        if getattr(module, "padding_idx", None) is not None:
            # PyTorch begins and keeps it so.
            arrays[f"{name}.weight"][module.padding_idx] = 0
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    x = torch.from_numpy(laid_out(case.x(), first=channels_first(code)[0])).requires_grad_(not case.ids)
    output = network(x)
    found = {"arrays": arrays, "output": output.detach().numpy()}
    if not case.ids:
        (output * torch.from_numpy(pulled(found["output"], first=channels_first(code)[1]))).sum().backward()
        found["slope"] = x.grad.numpy()
    return found


def by_keras(case: Case, code: str) -> dict:
    """Output, derivative and arrays as Keras has them."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    network = executed(code)
    random = np.random.default_rng(0)
    arrays = {v.path.removeprefix(f"{network.name}/"): moved(np.asarray(v.value), random) for v in network.weights}
    network.set_weights(list(arrays.values()))
    output = np.asarray(network(case.x(), training=False))
    found = {"arrays": arrays, "output": output}
    if not case.ids:
        found["slope"] = np.asarray(
            jax.grad(lambda x: jnp.sum(network(x, training=False) * pulled(output)))(jnp.asarray(case.x()))
        )
    return found


def executed(code: str):
    """What the code calls `network`."""
    names: dict = {}
    exec(code, names)
    return names["network"]


def as_lists(found: Any) -> Any:
    """Arrays as lists of numbers with 12 digits."""
    if isinstance(found, dict):
        return {name: as_lists(item) for name, item in found.items()}
    array = np.asarray(found)
    digits = 7 if array.dtype == np.float32 else 10
    return array.tolist() if array.dtype.kind == "i" else np.vectorize(lambda x: float(f"{x:.{digits}g}"))(array).tolist()


def main() -> None:
    """Writes the file; what has the same code stays as it was recorded."""
    path = Path(str(peer_cases.__file__)).with_name("recorded_peers.json")
    known = {(row["case"], row["peer"]): row for row in json.loads(path.read_text())["rows"]}
    rows = []
    for name, case in CASES.items():
        for peer in case.peers:
            code = to_code(case.network, peer)
            if known.get((name, peer), {}).get("code") == code.splitlines():
                rows.append(known[name, peer])
                continue
            found = {"pytorch": by_pytorch, "keras": by_keras}[peer](case, code)
            rows.append({"case": name, "peer": peer, "code": code.splitlines(), **as_lists(found)})
            print(peer, name)
    made_by = {"PyTorch": torch.__version__, "Keras": keras.__version__, "JAX": jax.__version__}
    lines = ",\n".join(json.dumps(row) for row in rows)
    path.write_text(f'{{"made by": {json.dumps(made_by)},\n"rows": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
