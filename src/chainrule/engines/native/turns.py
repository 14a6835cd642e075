"""The memory that a loop over time moves through: what each turn finds, and where it puts what it leaves behind."""

from __future__ import annotations

from chainrule.engines.native.kernels import Buffer
from chainrule.graph import Body, Node, Type


def part(whole: Buffer, kind: Type, start: int, turn: int = 0) -> Buffer:
    """Entries of a buffer that are an array of their own."""
    return Buffer(whole.label, kind, "part", whole=whole, start=start, turn=turn)


class Passage:
    """The memory of a loop over time: of each state its first value and that after each turn; of what else is taken, a row to each turn."""

    def __init__(self, node: Node, label: str) -> None:
        self.body: Body = node.attributes["body"]
        self.turns: int = node.attributes["length"]
        self.reverse = bool(node.attributes.get("reverse"))
        self.types = {name: out.type for name, out in self.body.graph.outputs.items()}
        self.states = {name: Buffer(f"{label}.{name}", self._stacked(name, self.turns + 1)) for name in self.body.states}
        self.taken: dict[str, Buffer] = {}
        self.label = label

    def _stacked(self, name: str, rows: int) -> Type:
        return self.types[name].with_shape((rows, *self.types[name].shape))

    def home(self, node: Node) -> Buffer:
        """Where what is taken from the loop stands."""
        name = self._state_or(node.attributes["output"])
        if name in self.states:
            # Forwards, row t is what turn t finds and row t + 1 what it leaves; backwards it is the other way round.
            shifted = bool(node.attributes.get("before_step")) == self.reverse
            return part(self.states[name], node.type, shifted * self.types[name].size)
        return self.taken.setdefault(name, Buffer(f"{self.label}.{name}", node.type))

    def _state_or(self, name: str) -> str:
        """The state that an output is the next value of under another name, so that it is kept once; else the output's own name."""
        outputs = self.body.graph.outputs
        same = (state for state in self.states if outputs[state] is outputs[name])
        return name if name in self.states else next(same, name)

    def _moving(self, whole: Buffer, kind: Type, first_row: int) -> Buffer:
        return part(whole, kind, first_row * kind.size, -kind.size if self.reverse else kind.size)

    def row(self, sequence: Buffer) -> Buffer:
        """The present turn's row of an array with a row to each."""
        return self._moving(sequence, sequence.type.with_shape(sequence.type.shape[1:]), self.reverse * (self.turns - 1))

    def first(self, name: str) -> Buffer:
        """Where a state's first value is put."""
        return part(self.states[name], self.types[name], self.reverse * self.turns * self.types[name].size)

    def now(self, name: str) -> Buffer:
        """A state as the present turn finds it."""
        return self._moving(self.states[name], self.types[name], self.reverse * self.turns)

    def after(self, name: str) -> Buffer:
        """Where the present turn puts an output."""
        if name in self.states:
            return self._moving(self.states[name], self.types[name], self.turns - 1 if self.reverse else 1)
        return self.row(self.taken[name])
