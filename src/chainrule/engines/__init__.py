"""Floor 3: engines run graphs; `reference` is the definition, `native` the fast one."""

from chainrule.checks import answering
from chainrule.engines.choice import ENGINES, engine_named, load_ahead
from chainrule.engines.engine import STAGES, Engine, Loop, LoopProgram, Program, Results, RowFunction
from chainrule.engines.reference import Plan, ReferenceEngine

__all__ = [
    "ENGINES",
    "Engine",
    "Loop",
    "LoopProgram",
    "Plan",
    "Program",
    "ReferenceEngine",
    "Results",
    "RowFunction",
    "STAGES",
    "engine_named",
    "load_ahead",
]

answering(globals())
