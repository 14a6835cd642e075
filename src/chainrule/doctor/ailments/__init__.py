"""What may be the matter with a training: one small look each; importing a file here registers its ailments, in this order."""

from chainrule.doctor.ailments import learning, wiring, start, units, gradients, rates  # noqa: I001
from chainrule.doctor.ailments import capacity, inputs, examples, memorised, labels, seeds

__all__ = [
    "capacity", "examples", "gradients", "inputs", "labels", "learning", "memorised", "rates", "seeds", "start", "units", "wiring",
]  # fmt: skip
