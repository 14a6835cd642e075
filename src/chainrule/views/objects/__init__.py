"""How the objects of every floor show themselves in a notebook: what is imported here registers it with `chainrule.display`."""

from chainrule.views.objects import data, doctor, general, graphs, networks, runs, sweeps

__all__ = ["data", "doctor", "general", "graphs", "networks", "runs", "sweeps"]
