"""Floor 3: engines run graphs; `reference` is the definition, `native` the fast one."""

from chainrule.checks import answering
from chainrule.engines.choice import ENGINES, EngineKind, engine_named, load_ahead
from chainrule.engines.engine import Carried, Engine, HostState, Loop, LoopProgram, Program, Results, RowFunction, all_finite
from chainrule.engines.hosts import ALONE, HostAddress, Hosts
from chainrule.engines.joined import Family, family_of, joined
from chainrule.engines.reference import ExecutionPlan, ReferenceEngine

__all__ = [
    "ALONE", "Carried", "ENGINES", "Engine", "EngineKind", "HostAddress", "HostState", "Hosts", "Loop", "LoopProgram",
    "ExecutionPlan", "Family", "Program", "ReferenceEngine", "Results", "RowFunction", "all_finite", "engine_named",
    "family_of", "joined", "load_ahead",
]  # fmt: skip

answering(globals())
