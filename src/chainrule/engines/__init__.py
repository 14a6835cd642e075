"""Floor 3: engines run graphs; `reference` is the definition."""

from chainrule.engines.engine import Engine, Loop, LoopProgram, Program, Results
from chainrule.engines.reference import ENGINES, Plan, ReferenceEngine, engine_named

__all__ = ["ENGINES", "Engine", "Loop", "LoopProgram", "Plan", "Program", "ReferenceEngine", "Results", "engine_named"]
