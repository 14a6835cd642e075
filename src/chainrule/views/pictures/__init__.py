"""Pictures: what the lectures draw, of the user's own networks, data and runs; each a set of numbers that can be drawn."""

from chainrule.views.pictures.picture import Picture

__all__ = ["Picture"]
