"""What may be the matter with a training: one small look each; importing a file here registers its ailments, in this order."""

from chainrule.doctor.ailments import learning, wiring, start, units, gradients, rates, inputs, memorised, labels, seeds  # noqa: I001

__all__ = ["gradients", "inputs", "labels", "learning", "memorised", "rates", "seeds", "start", "units", "wiring"]
