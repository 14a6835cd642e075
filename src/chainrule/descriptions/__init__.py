"""Floor 0: descriptions, what layers, losses, optimizers and settings are: checked, printed and written down by their fields alone."""

from chainrule.descriptions.code import code_of, imports_of
from chainrule.descriptions.files import DEEPEST, MOST_SHARED, Written, refused, renamed, restored, unwritable, written
from chainrule.descriptions.keys import Kept, key_of
from chainrule.descriptions.kinds import Told, described, descriptions, hints_of, is_described, tree

__all__ = [
    "DEEPEST", "MOST_SHARED", "Kept", "Told", "Written", "code_of", "described", "descriptions", "hints_of", "imports_of",
    "is_described", "key_of", "refused", "renamed", "restored", "tree", "unwritable", "written",
]  # fmt: skip
