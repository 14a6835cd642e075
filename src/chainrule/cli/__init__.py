"""Floor 8: the command `chainrule`, which trains, evaluates, predicts and shows from a terminal."""

from chainrule.cli.application import application, main

__all__ = ["application", "main"]
