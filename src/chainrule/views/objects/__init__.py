"""How the objects of every floor show themselves in a notebook: what is imported here registers it with `chainrule.display`."""

from chainrule.views.objects import data, general, graphs, networks, runs, sweeps

__all__ = ["data", "general", "graphs", "networks", "runs", "sweeps"]
