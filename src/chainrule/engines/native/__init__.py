"""The native engine: a whole loop of steps as one piece of machine code.

    graph ──► grouping ──► schedule ──► buffers ──► module (loops, matmul, lowering, functions, team) ──► machine ──► engine

Each stage is data that prints; `machine` alone knows llvmlite. Nothing here is loaded before a program is compiled.
"""

STAGES = ("schedule", "buffers", "llvm", "assembly")
"""What this engine can show on the way from a graph to what runs."""

__all__ = ["STAGES"]
