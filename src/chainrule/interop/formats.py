"""The formats that a trained network is written out to, in one table; each stands in a module that is loaded when it is first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from chainrule.checks import Extents, Natural, Seed, checked, unknown
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.files import named, require_writable, write_whole
from chainrule.immutable import immutable
from chainrule.interop.portable import Dtype, Portable, portable

Written: TypeAlias = Mapping[str, bytes]
"""Files by the ends of their names: ".c" stands for model.c, "_test.json" for model_test.json, where model.c was asked for."""


@immutable
class Format(Shown):
    """A format: the end of its files' names, what is written, and the module of `interop` whose function `write` makes the files.

    `write(portable: Portable) -> Written` gives the files' contents, the one that was asked for first.
    """

    suffix: str
    words: str
    module: str

    def write(self, subject: Portable) -> Written:
        """The contents of the files."""
        function: Callable[[Portable], Written] = import_module(f"chainrule.interop.{self.module}").write
        return function(subject)


FORMATS: dict[str, Format] = {
    "onnx": Format(".onnx", "a model that ONNX Runtime and many other programs run", "onnx_models.writing"),
    "c": Format(".c", "a file in C99, without memory that is asked for; with -DTEST it tests itself", "written.c"),
    "numpy": Format(".py", "a file in Python that needs NumPy alone, and tests itself when it is run", "written.numpy_code"),
    "javascript": Format(".js", "a file for a page or for Node, which tests itself by node FILE --test", "written.javascript"),
    "spreadsheet": Format(".xlsx", "a workbook whose formulas follow when an input is changed", "written.spreadsheet"),
    "latex": Format(".tex", "a formula for a paper, with rounded numbers and the error that they make", "written.latex"),
    "safetensors": Format(
        ".safetensors", "the weights by name, with network, scalings and classes beside them", "written.tensors"
    ),
}
"""The formats by the names that `to=` takes."""


@checked
def export(
    subject: Any,
    path: str | os.PathLike[str],
    to: str | None = None,
    *,
    values: Mapping[str, Any] | None = None,
    input_shape: Extents | None = None,
    replica: Natural = 0,
    seed: Seed = 0,
    dtype: Dtype | None = None,
) -> list[Path]:
    """Writes a run, a model, a network or a graph into a file that computes elsewhere what it computes here.

    It takes inputs as the data hold them, and gives numbers in the units of the targets, or classes and their probabilities. to: the name
    of a format, see `FORMATS`; None for the one that the path ends with. The rest as in `portable`. Gives the files that were written.

    Raises: OptionError for an unknown format, and for what a format cannot say; MissingPackageError; UnwritableFileError.

    >>> import chainrule as cr
    >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2)
    >>> [path.name for path in cr.export(run, getfixture("tmp_path") / "moons.onnx")]
    ['moons.onnx']
    """
    place = named(path)
    chosen = format_named(to, place)
    require_writable(place)
    made = chosen.write(portable(subject, values, input_shape=input_shape, replica=replica, seed=seed, dtype=dtype))
    places = [place if not number else place.with_name(place.stem + end) for number, end in enumerate(made)]
    for where, content in zip(places, made.values(), strict=True):
        write_whole(where, content)
    return places


def format_named(name: str | None, path: Path) -> Format:
    """The format of this name, or the one whose files end as the path does. Raises: OptionError."""
    if name is None:
        fitting = [item for item in FORMATS.values() if item.suffix == path.suffix]
        if len(fitting) == 1:
            return fitting[0]
        ends = ", ".join(f"{item.suffix} ({name})" for name, item in FORMATS.items())
        raise OptionError(
            f"no format for the file {path.name}", expected=f"a name that ends with one of {ends}", remedy='write to="onnx"'
        )
    if name not in FORMATS:
        raise unknown(f"to={name!r}", name, FORMATS, otherwise=f'write to="{next(iter(FORMATS))}"')
    return FORMATS[name]
