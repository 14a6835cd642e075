"""Keras' own tests of layers, as they lie in its wheel: each layer and input of theirs is read by cr.from_keras, or refused by name.

Their `run_layer_test` is put in place of by one that builds a model of the layer alone. `make external` runs it.
"""

import contextlib
import importlib
import inspect
import io
import pkgutil
import sys
import unittest
import warnings
from collections.abc import Callable, Iterator

import keras
import numpy as np
from keras.src import testing

import chainrule as cr
from chainrule.errors import OptionError
from tests.external.ratchet import judged

PARTS = ("core", "activations", "convolutional", "pooling", "normalization", "rnn", "merging", "reshaping", "regularization")
MODULES = [
    name
    for part in PARTS
    for _, name, _ in pkgutil.iter_modules(
        importlib.import_module(f"keras.src.layers.{part}").__path__, f"keras.src.layers.{part}."
    )
    if name.endswith("_test")
]


def read(kind: type, kwargs: dict, shape: tuple | None) -> None:
    if not isinstance(shape, tuple) or any(not isinstance(extent, int) for extent in shape):
        raise unittest.SkipTest("no single input of a known shape")
    keras.utils.set_random_seed(0)
    try:
        layer = kind(**kwargs)
        model = keras.Sequential([keras.Input(shape[1:]), layer])
        model(np.zeros((2, *shape[1:]), np.float32))
    except Exception as error:
        raise unittest.SkipTest(f"no model of it alone: {error}") from None
    try:
        cr.from_keras(model)
    except OptionError as refused:
        odd = kind.__name__ == "AveragePooling2D" and kwargs["padding"] == "same" and keras.backend.backend() == "torch"
        if odd:
            # Keras' own tests compare with what it gives by other backends: by PyTorch it counts the padding that stands behind.
            raise unittest.SkipTest("an average over an uneven edge, which Keras computes in another way by PyTorch") from None
        if "differs" in str(refused) or "gives the shape" in str(refused):
            raise
        raise unittest.SkipTest(str(refused).splitlines()[0]) from None


def cases() -> Iterator[tuple[str, Callable[[], None]]]:
    """Each call of run_layer_test in Keras' tests, which are run for that and for nothing else."""
    made: list[tuple[type, dict, tuple | None]] = []

    def noted(self: object, layer_cls: type, init_kwargs: dict, input_shape: tuple | None = None, **more: object) -> None:
        made.append((layer_cls, init_kwargs, input_shape))

    testing.TestCase.run_layer_test = noted
    for module in MODULES:
        try:
            tests = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(module))
        except Exception:
            continue
        for group in tests:
            for test in group:
                if "run_layer_test" not in inspect.getsource(getattr(type(test), test.id().rpartition(".")[2], cases)):
                    continue
                made.clear()
                with contextlib.redirect_stdout(io.StringIO()):
                    unittest.TextTestRunner(stream=io.StringIO()).run(test)
                for number, (kind, kwargs, shape) in enumerate(made):
                    name = f"{module.removeprefix('keras.src.layers.')}.{test.id().rpartition('.')[2]}-{number}"
                    yield name, lambda kind=kind, kwargs=kwargs, shape=shape: read(kind, kwargs, shape)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(judged("keras_layers", cases()))
