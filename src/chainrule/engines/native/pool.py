"""A pool of threads that sleep until there is work: helpers inside a step, or a replica to each."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from chainrule.errors import OptionError


def default_threads() -> int:
    """As many as CHAINRULE_THREADS says, else the processors that this process may use."""
    wish = os.environ.get("CHAINRULE_THREADS", "")
    if wish:
        if not wish.isdecimal() or int(wish) < 1:
            raise OptionError(
                f"CHAINRULE_THREADS={wish}", expected="a whole number, 1 or more", remedy="unset it to use all processors"
            )
        return int(wish)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class _Pool:
    """Threads waiting at a queue, started when first needed."""

    def __init__(self) -> None:
        self.jobs: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self.started = 0
        self.lock = threading.Lock()

    def submit(self, jobs: Sequence[Callable[[], object]]) -> None:
        """Hands jobs to as many threads; none waits for another."""
        with self.lock:
            while self.started < len(jobs):
                # Daemons: a process that ends does not wait for threads that sleep.
                threading.Thread(target=self._serve, name=f"chainrule-{self.started}", daemon=True).start()
                self.started += 1
        for job in jobs:
            self.jobs.put(job)

    def _serve(self) -> None:
        while True:
            self.jobs.get()()


_pool = _Pool()


def _forget() -> None:
    """A forked child has no threads but the one that forked: it starts with an empty pool."""
    global _pool
    _pool = _Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def help_with(jobs: Sequence[Callable[[], object]]) -> None:
    """Starts jobs on pool threads and goes on at once; they may begin late, even after they are needed no more."""
    if jobs:
        _pool.submit(jobs)


def run_all(task: Callable[[int, int], object], count: int, threads: int) -> None:
    """task(worker, number) for each number, on this thread and others; ends when all are done. The first error is raised."""
    if count == 1 or threads == 1:
        for number in range(count):
            task(0, number)
        return
    numbers = iter(range(count))
    lock = threading.Lock()
    done = threading.Semaphore(0)
    errors: list[BaseException] = []

    def work(worker: int) -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                task(worker, number)
            except BaseException as error:
                errors.append(error)
            finally:
                done.release()

    help_with([lambda worker=worker: work(worker) for worker in range(1, min(threads, count))])
    work(0)
    for _ in range(count):
        done.acquire()
    if errors:
        raise errors[0]
