"""How the objects of every floor show themselves in a notebook: what is imported here registers it with `chainrule.display`."""

from chainrule.views import drawing, explanation, pictures  # which register theirs
from chainrule.views.objects import data, doctor, general, graphs, networks, runs, sweeps

__all__ = ["data", "doctor", "drawing", "explanation", "general", "graphs", "networks", "pictures", "runs", "sweeps"]
