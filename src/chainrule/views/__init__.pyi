from . import drawing, explanation, networks, objects, pictures
from .plain import printable, printable_lines, sparkline

__all__ = ["drawing", "explanation", "networks", "objects", "pictures", "printable", "printable_lines", "sparkline"]
