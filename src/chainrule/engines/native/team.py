"""How threads share a kernel, as LLVM text: tasks are claimed one by one, nobody spins for long, and nobody waits for a late comer.

The thread that runs the loop publishes a kernel with its number of tasks in one word and claims tasks itself, from the first on, until
none is left; helpers that are awake claim some too, from the last back. So most rows that one kernel wrote are read in the next by the
same processor, which has them in its cache: that made a step over 10 000 rows 8 % shorter on two. The thread then waits only for tasks in
flight: a helper that sleeps, or whose core is taken by somebody else, delays nothing that it has not begun. Who does a task changes no
number: tasks are cut by shape alone.

The word `claim` holds region (24 bits), the task behind the last one that is free (20) and the first one that is (20); who takes a task
exchanges the word for one with a number less, or more, which fails if it has changed in between. A thread that finds nothing for a
tenth of a millisecond sleeps (futex on Linux, a short nap elsewhere) until a new region is published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from chainrule.engines.native.builder import LlvmFunction, Value
from chainrule.engines.native.subnormals import flushed

CLAIM, KERNEL, STEP, POSITION, TURN, DONE, SLEEPERS, WAITING, STOP, HELPERS = 0, 64, 72, 80, 88, 128, 192, 256, 320, 384
TEAM_BYTES = 448
SPINS = 3000
"""How often a thread looks again before it sleeps: some 50 (AMD) to 150 (Intel) microseconds, as long as what one thread does alone between
two kernels that are shared. To be woken takes as long; with a few microseconds, steps of W5, W6 and W7 took 1.13 to 1.28 of the time."""
TASK_BITS = 20
_FUTEX = {"x86_64": 202, "aarch64": 98}
_WAIT, _WAKE = 128, 129  # FUTEX_WAIT_PRIVATE, FUTEX_WAKE_PRIVATE


class Team:
    """Writes the functions share, work, dismiss; `parts` are the functions that do tasks, by number."""

    PART = (("ptr", "context"), ("i64", "step"), ("i64", "position"), ("i64", "turn"), ("i64", "worker"), ("i64", "task"))
    """What a part is given."""

    def __init__(self, tags: Callable[[object], str], triple: str, parts: Sequence[str], *, is_flushed: bool = False) -> None:
        self.tags, self.triple, self.parts, self.is_flushed = tags, triple, parts, is_flushed

    def functions(self) -> list[LlvmFunction]:
        """All of them."""
        if not self.parts:
            return [self._nothing_to_dismiss()]
        return [self._perform(), self._claim(), self._share(), self._work(), self._dismiss()]

    # ---- small parts

    def _at(self, f: LlvmFunction, team: Value, field: int) -> Value:
        return f.offset(team, f.index(field))

    def _read(self, f: LlvmFunction, team: Value, field: int) -> Value:
        return f.emit("i64", 1, f"load atomic i64, {self._at(f, team, field)} seq_cst, align 8")

    def _write(self, f: LlvmFunction, team: Value, field: int, value: Value) -> None:
        f.perform(f"store atomic {value}, {self._at(f, team, field)} seq_cst, align 8")

    def _add(self, f: LlvmFunction, team: Value, field: int, number: int) -> Value:
        return f.emit("i64", 1, f"atomicrmw add {self._at(f, team, field)}, i64 {number} seq_cst, align 8")

    def _pause(self, f: LlvmFunction) -> None:
        if self.triple.startswith(("x86_64", "i")):
            f.call("llvm.x86.sse2.pause", "void", 1)
        elif self.triple.startswith(("aarch64", "arm64")):
            f.call("llvm.aarch64.hint", "void", 1, Value("i32", 1, "1"))

    def _futex_number(self) -> int | None:
        return _FUTEX.get(self.triple.split("-")[0]) if "linux" in self.triple else None

    def _sleep(self, f: LlvmFunction, place: Value, expected: Value) -> None:
        """Sleeps while the 32 bits at the place are what is expected; may wake early."""
        number = self._futex_number()
        if number is None:
            f.call("usleep", "i32", 1, Value("i32", 1, "50"))
            return
        nothing = f.index(0)
        wide = f.convert("zext", expected, "i64")
        f.call("syscall", "i64", 1, f.index(number), place, f.index(_WAIT), wide, nothing, nothing, nothing)

    def _wake(self, f: LlvmFunction, place: Value) -> None:
        number = self._futex_number()
        if number is not None:
            nothing = f.index(0)
            f.call("syscall", "i64", 1, f.index(number), place, f.index(_WAKE), f.index(2**31 - 1), nothing, nothing, nothing)

    def _internal(self, name: str, arguments: list[tuple[str, str]], result: str = "void") -> LlvmFunction:
        f = LlvmFunction(name, arguments, result)
        f.linkage = "internal "
        f.shares_memory = True
        return f

    # ---- functions

    def _nothing_to_dismiss(self) -> LlvmFunction:
        return self._internal("dismiss", [("ptr", "team")])

    def _perform(self) -> LlvmFunction:
        """Calls the part with this number."""
        f = self._internal("perform", [*self.PART, ("i64", "kernel")])
        *arguments, kernel = f.arguments
        for number, part in enumerate(self.parts):
            with f.when(f.compare("eq", kernel, f.index(number))):
                f.call(part, "void", 1, *arguments)
        return f

    def _claim(self) -> LlvmFunction:
        """The first task of the present region that nobody has claimed, for a helper the last one; or −1."""
        f = self._internal("claim", [("ptr", "team"), ("i64", "worker")], "i64")
        team, worker = f.arguments
        head, attempt, none, got = "look", "attempt", "none", "got"
        f.branch(head)
        f.label(head)
        word = self._read(f, team, CLAIM)
        mask = f.index(2**TASK_BITS - 1)
        following = f.binary("and", word, mask)
        tasks = f.binary("and", f.binary("lshr", word, f.index(TASK_BITS)), mask)
        f.branch_if(f.compare("ult", following, tasks), attempt, none)
        f.label(attempt)
        helps = f.compare("ne", worker, f.index(0))
        taken = f.select(helps, f.binary("sub", word, f.index(1 << TASK_BITS)), f.binary("add", word, f.index(1)))
        place = self._at(f, team, CLAIM)
        pair = f.emit("{ i64, i1 }", 1, f"cmpxchg {place}, {word}, {taken} seq_cst seq_cst, align 8")
        done = f.emit("i1", 1, f"extractvalue {{ i64, i1 }} {pair.text}, 1")
        f.branch_if(done, got, head)
        f.label(got)
        f.give_back(f.select(helps, f.binary("sub", tasks, f.index(1)), following))
        f.label(none)
        f.give_back(f.index(-1))
        return f

    def _tasks(self, f: LlvmFunction, context: Value, team: Value, worker: Value, after: str) -> None:
        """Claims and does tasks until there is none; goes to the block `after` then."""
        head, work = f.fresh_label("claim"), f.fresh_label("task")
        f.branch(head)
        f.label(head)
        task = f.call("claim", "i64", 1, team, worker)
        f.branch_if(f.compare("sge", task, f.index(0)), work, after)
        f.label(work)
        kernel, *which = (self._read(f, team, field) for field in (KERNEL, STEP, POSITION, TURN))
        f.call("perform", "void", 1, context, *which, worker, task, kernel)
        self._add(f, team, DONE, 1)
        with f.when(f.compare("ne", self._read(f, team, WAITING), f.index(0))):
            self._wake(f, self._at(f, team, DONE))
        f.branch(head)

    def _share(self) -> LlvmFunction:
        """Runs all tasks of a kernel, with whoever helps."""
        f = self._internal("share", [*self.PART[:4], ("ptr", "team"), ("i64", "kernel"), ("i64", "tasks")])
        context, step, position, turn, team, kernel, tasks = f.arguments
        alone, together = f.fresh_label("alone"), f.fresh_label("together")
        f.branch_if(f.compare("eq", self._read(f, team, HELPERS), f.index(0)), alone, together)
        f.label(alone)
        with f.loop(0, tasks) as loop:
            f.call("perform", "void", 1, context, step, position, turn, f.index(0), loop.index, kernel)
        f.give_back()
        f.label(together)
        for field, value in ((KERNEL, kernel), (STEP, step), (POSITION, position), (TURN, turn), (DONE, f.index(0))):
            self._write(f, team, field, value)
        self._publish(f, team, tasks)
        mine = f.fresh_label("waiting")
        self._tasks(f, context, team, f.index(0), mine)
        f.label(mine)
        self._wait(f, team, tasks)
        f.give_back()
        return f

    def _publish(self, f: LlvmFunction, team: Value, tasks: Value) -> None:
        """A new region with so many tasks; sleepers are woken."""
        old = self._read(f, team, CLAIM)
        region = f.binary("add", f.binary("lshr", old, f.index(2 * TASK_BITS)), f.index(1))
        word = f.binary("or", f.binary("shl", region, f.index(2 * TASK_BITS)), f.binary("shl", tasks, f.index(TASK_BITS)))
        self._write(f, team, CLAIM, word)
        with f.when(f.compare("ne", self._read(f, team, SLEEPERS), f.index(0))):
            self._wake(f, f.offset(self._at(f, team, CLAIM), f.index(4)))

    def _wait(self, f: LlvmFunction, team: Value, tasks: Value) -> None:
        """Until the tasks in flight are done."""
        head, look, rest, sleep, again, end = (
            f.fresh_label(word) for word in ("wait", "look", "rest", "sleep", "again", "end")
        )
        origin = f.block
        f.branch(head)
        f.label(head)
        spins = Value("i64", 1, f"%{head}.spins")
        place = len(f.lines)
        done = self._read(f, team, DONE)
        f.branch_if(f.compare("eq", done, tasks), end, look)
        f.label(look)
        f.branch_if(f.compare("slt", spins, f.index(SPINS)), rest, sleep)
        f.label(rest)
        self._pause(f)
        f.branch(again)
        f.label(sleep)
        self._write(f, team, WAITING, f.index(1))
        self._sleep(f, self._at(f, team, DONE), f.convert("trunc", done, "i32"))
        self._write(f, team, WAITING, f.index(0))
        f.branch(again)
        f.label(again)
        following = f.binary("add", spins, f.index(1))
        f.lines.insert(place, f"  {spins.text} = phi i64 [ 0, %{origin} ], [ {following.text}, %{again} ]")
        f.branch(head)
        f.label(end)

    def _work(self) -> LlvmFunction:
        """What a helper does: tasks while there are any, then a little waiting, then sleep; until the team is dismissed."""
        f = self._internal("work", [("ptr", "context"), ("ptr", "team"), ("i64", "worker")])
        f.linkage = ""
        with flushed(f, self.triple, wanted=self.is_flushed):
            self._work_until_dismissed(f)
        return f

    def _work_until_dismissed(self, f: LlvmFunction) -> None:
        context, team, worker = f.arguments
        fresh, idle, look, rest, sleep, check, end = (
            f.fresh_label(word) for word in ("fresh", "idle", "look", "rest", "sleep", "check", "end")
        )
        f.branch(fresh)
        f.label(fresh)
        self._tasks(f, context, team, worker, idle)
        f.label(idle)
        spins = Value("i64", 1, f"%{idle}.spins")
        place = len(f.lines)
        word = self._read(f, team, CLAIM)
        mask = f.index(2**TASK_BITS - 1)
        tasks = f.binary("and", f.binary("lshr", word, f.index(TASK_BITS)), mask)
        f.branch_if(f.compare("ne", self._read(f, team, STOP), f.index(0)), end, look)
        f.label(look)
        following = f.binary("add", spins, f.index(1))
        waiting = f.compare("ult", f.binary("and", word, mask), tasks)
        f.branch_if(waiting, fresh, check)
        f.label(check)
        f.branch_if(f.compare("slt", spins, f.index(SPINS)), rest, sleep)
        f.label(rest)
        self._pause(f)
        f.branch(idle)
        f.label(sleep)
        self._add(f, team, SLEEPERS, 1)
        high = f.convert("trunc", f.binary("lshr", word, f.index(32)), "i32")
        self._sleep(f, f.offset(self._at(f, team, CLAIM), f.index(4)), high)
        self._add(f, team, SLEEPERS, -1)
        f.branch(idle)
        head = next(line for line in f.lines if line.startswith("claim"))[:-1]
        f.lines.insert(
            place,
            f"  {spins.text} = phi i64 [ 0, %{head} ], [ {following.text}, %{rest} ], [ 0, %{sleep} ]",
        )
        f.label(end)

    def _dismiss(self) -> LlvmFunction:
        """Tells the helpers to leave."""
        f = self._internal("dismiss", [("ptr", "team")])
        (team,) = f.arguments
        self._write(f, team, STOP, f.index(1))
        self._publish(f, team, f.index(0))
        return f
