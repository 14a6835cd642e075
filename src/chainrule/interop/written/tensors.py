"""A network's numbers as safetensors: each array by its name, and in the metadata what they belong to."""

from __future__ import annotations

import json

import numpy as np
from safetensors.numpy import save

from chainrule.interop.portable import Portable
from chainrule.nn import Scale, to_code


def write(portable: Portable) -> dict[str, bytes]:
    """The file. Its metadata are texts: network (code of chainrule), input_shape, scalings, classes, features, and how it was made."""
    told = {"format": "chainrule", **portable.facts}
    if portable.layers is not None:
        told |= {"network": to_code(portable.layers), "input_shape": json.dumps(list(portable.layers.input_shape or ()))}
        scales = {"scaling": portable.layers.before, "target_scaling": portable.layers.after}
        told |= {name: json.dumps(_scale(item)) for name, item in scales.items() if item is not None}
    for name, names in (("classes", portable.classes), ("features", portable.features), ("targets", portable.targets)):
        if names:
            told[name] = json.dumps(list(names))
    # In order in memory: what is a view of something else would be written as that.
    return {".safetensors": save({name: np.ascontiguousarray(value) for name, value in portable.values.items()}, told)}


def _scale(scale: Scale) -> dict[str, object]:
    """x becomes (x - offset)*factor; of outputs the way back is meant, output/factor + offset."""
    return {"offset": scale.offset.tolist(), "factor": scale.factor.tolist()}
