"""The version of this library, which the package, its files and its exports are marked with."""

__version__ = "0.1.0"
