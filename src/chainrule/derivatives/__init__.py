"""Reverse-mode derivatives, as nodes: the gradient of a graph is ordinary graph."""

from chainrule.checks import answering
from chainrule.derivatives.recurrence import scan_vjp
from chainrule.derivatives.reverse import grad, hvp, jvp, require_gradients, vjp

__all__ = ["grad", "hvp", "jvp", "require_gradients", "scan_vjp", "vjp"]

answering(globals())
