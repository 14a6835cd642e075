"""The screens of the lab: each a file, with what can be done and seen there."""

from chainrule.lab.room import Screen
from chainrule.lab.screens.bench import Bench
from chainrule.lab.screens.digits import Digits
from chainrule.lab.screens.doctor import Doctor
from chainrule.lab.screens.lessons import Lessons
from chainrule.lab.screens.own import Own
from chainrule.lab.screens.passes import Passes
from chainrule.lab.screens.pictures import Pictures
from chainrule.lab.screens.timeline import Timeline

SCREENS: tuple[type[Screen], ...] = (Timeline, Bench, Own, Passes, Digits, Pictures, Lessons, Doctor)
"""In the order in which pages are told of them."""
