"""Floor 6: views turn graphs, networks, data and runs into things to look at; they only read.

What is imported here needs NumPy only and registers how objects show themselves. What draws with matplotlib (`pictures`) imports it
when it draws; what fills a terminal (`terminal`, `confusion`, `progress`) is imported by the commands that do.
"""

from chainrule.checks import answering
from chainrule.views import drawing, explanation, networks, objects, pictures
from chainrule.views.plain import printable, printable_lines, sparkline

__all__ = ["drawing", "explanation", "networks", "objects", "pictures", "printable", "printable_lines", "sparkline"]

answering(globals())
