"""The xla engine: the same graphs through JAX, for GPUs, TPUs and several devices.

    graph ──► lowering, walk (a graph as JAX calls) ──► steps (a piece of steps as one program) ──► compiled ──► loop, engine

JAX is named in this package alone, and nothing here is loaded before the engine is chosen.
"""

STAGES = ("jaxpr", "stablehlo", "hlo")
"""What this engine can show on the way from a graph to what runs."""

__all__ = ["STAGES"]
