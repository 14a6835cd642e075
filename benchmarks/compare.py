"""Ours beside its peers: each competitor in its own process, all asked in turn, so that all see the same weather.

    python benchmarks/compare.py                                    every workload, every peer that is installed
    python benchmarks/compare.py --workloads W1,W3 --peers jax,jax@1
    python benchmarks/compare.py --avx2                             all held to the instructions that most laptops have
    python benchmarks/compare.py --check                            what each has learned, instead of its times

NAME@1 is the peer on one core; requirements count the better of both. The unit that is timed is the workload's epochs,
shuffling included, without evaluations; one shorter than 0.1 s is repeated for that long. Printed is Markdown.

--check also trains 20 steps on one batch, whose order does not matter, and compares outputs with those of NumPy by hand.
They agree to 2e-5, but with Adam on W5 to 3e-2: NumPy by hand and PyTorch's own Adam take 1 − 0.999^t in float64, which
alone makes that difference.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from competitor import AVX2, Competitor, Weather, competitor, takes_part
from floor import compile_floor, hide_wide
from machine import describe_machine
from peers import PEERS
from workloads import NARROW_REQUIREMENTS, REQUIREMENTS, ROWS, WORKLOADS, Requirement

OURS = "chainrule"
USUAL_PEERS = ("jax@1", "jax", "torch@1", "torch", "numpy", "sklearn", "c")
COMPILED = ("torch-compiled@1", "torch-compiled")

Times = dict[str, dict[str, list[float]]]
"""Competitor → measure → seconds in each round."""


def main() -> None:
    """Runs what was asked for and prints its tables."""
    arguments = _arguments()
    names = [OURS, *arguments.peers]
    requirements = NARROW_REQUIREMENTS if arguments.avx2 else REQUIREMENTS
    print(describe_machine(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        limits = {**AVX2, **hide_wide(Path(folder))} if arguments.avx2 else {}
        if arguments.avx2:
            hidden = (
                "the processor hides what is wider"
                if "LD_PRELOAD" in limits
                else "by variables only, which not every library asks"
            )
            print(f"\nAll are held to AVX2: {hidden}.", flush=True)
        library = compile_floor(Path(folder), narrow=arguments.avx2)
        if library is None:
            print("\ngcc is not here, so the hand-written C, and compiled PyTorch, are left out.")
            names = [name for name in names if name != "c" and name not in COMPILED]
        else:
            os.environ["BENCH_FLOOR"] = str(library)
        results: dict[str, Times] = {}
        for workload in arguments.workloads or _asked_about(requirements):
            print(f"\n## {workload}: {WORKLOADS[workload].description}\n", flush=True)
            present = _start(workload, [name for name in names if takes_part(workload, name)], arguments.engine, limits)
            try:
                if arguments.check:
                    _print_check(present)
                else:
                    results[workload] = _measure(present, arguments.rounds)
                    _print_times(results[workload], arguments.rounds)
            finally:
                for item in present:
                    item.stop()
    if not arguments.check:
        _print_requirements(results, requirements)


def _asked_about(requirements: tuple[Requirement, ...]) -> list[str]:
    return [name for name in WORKLOADS if any(requirement.workload == name for requirement in requirements)]


def _arguments() -> argparse.Namespace:
    def known(allowed: Any) -> Any:
        def read(text: str) -> list[str]:
            words = text.split(",")
            unknown = [word for word in words if word.removesuffix("@1") not in allowed]
            if unknown:
                raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: expected some of {', '.join(allowed)}")
            return words

        return read

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--workloads", type=known(WORKLOADS), default=[], help=f"of {', '.join(WORKLOADS)}; else all that must reach something"
    )
    peers = [name for name in PEERS if name != OURS]
    parser.add_argument("--peers", type=known(peers), default=list(USUAL_PEERS), help=f"of {', '.join(peers)}, or NAME@1")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is asked")
    parser.add_argument("--engine", default="native", help="ours: native or reference")
    parser.add_argument("--avx2", action="store_true", help="no wider instructions than AVX2, for anybody")
    parser.add_argument("--compiled", action="store_true", help="torch.compile too; it takes minutes to compile")
    parser.add_argument("--check", action="store_true", help="what each has learned, instead of its times")
    arguments = parser.parse_args()
    arguments.peers += [name for name in COMPILED if arguments.compiled and name not in arguments.peers]
    return arguments


def _start(workload: str, names: list[str], engine: str, limits: Mapping[str, str]) -> list[Competitor]:
    """Those that can take part, warm and asleep; one after the other, so that they do not warm up side by side."""
    present: list[Competitor] = []
    for name in names:
        item = competitor(workload, name, engine, limits)
        item.start()
        if item.trouble:
            print(f"{name} is left out: {item.trouble}\n", flush=True)
            item.stop()
        else:
            present.append(item)
    return present


def _measure(present: list[Competitor], rounds: int) -> Times:
    times: Times = {item.name: {} for item in present}
    weather = Weather(present)
    for _ in range(rounds):
        for item in present:
            for measure, seconds in item.ask("go").items():
                times[item.name].setdefault(measure, []).append(seconds)
    print(f"Others on this machine took {weather} meanwhile.\n")
    # One that died on the way has no median worth printing.
    return {name: found for name, found in times.items() if found and all(len(row) == rounds for row in found.values())}


def ratio(over: list[float], under: list[float]) -> float:
    """The median of the ratios, round by round."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def readable(seconds: float) -> str:
    """Three digits and a unit.

    >>> readable(0.00123), readable(12.3456)
    ('1.23 ms', '12.3 s')
    """
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1 or unit == "µs":
            return f"{seconds * factor:.3g} {unit}"
    raise AssertionError


def _print_times(times: Times, rounds: int) -> None:
    print(f"| median of {rounds} rounds | measure | median | lowest | time / ours |\n|---|---|--:|--:|--:|")
    for name, found in times.items():
        for measure, row in found.items():
            beside = f"{ratio(row, times[OURS][measure]):.3g}" if OURS in times else "–"
            label = PEERS[name.partition("@")[0]].title + (", one core" if name.endswith("@1") else "")
            print(f"| {label} | {measure} | {readable(statistics.median(row))} | {readable(min(row))} | {beside} |", flush=True)


def _print_check(present: list[Competitor]) -> None:
    print("| | test accuracy or error after one unit | difference from NumPy by hand |\n|---|--:|--:|")
    for item in present:
        found = item.ask("check")
        score, difference = (found.get(key) for key in ("score", "difference"))
        cells = ("–" if score is None else f"{score:.4f}", "–" if difference is None else f"{difference:.1e}")
        print(f"| {item.name} | {' | '.join(cells)} |{item.trouble}", flush=True)


def _print_requirements(results: dict[str, Times], requirements: tuple[Requirement, ...]) -> None:
    print("\n## Required\n\n| workload | required | measured | against | reached |\n|---|---|--:|---|---|")
    for requirement in requirements:
        if requirement.workload in results:
            asked, measured, against, reached = judge(requirement, results[requirement.workload])
            print(f"| {requirement.workload} | {asked} | {measured} | {against} | {reached} |")


def judge(requirement: Requirement, times: Times) -> tuple[str, str, str, str]:
    """What is required, what was measured, against whom, and whether it was reached."""
    factor, measure = requirement.factor, requirement.measure
    if requirement.sense in {"seconds", "per second"}:
        many = requirement.sense == "per second"
        asked = f"{measure}: {'≥' if many else '≤'} " + (f"{factor / 1e6:g} M rows/s" if many else readable(factor))
        if OURS not in times:
            return asked, "–", "", "not measured"
        taken = statistics.median(times[OURS][measure])
        measured = f"{ROWS / taken / 1e6:.3g} M rows/s" if many else readable(taken)
        return asked, measured, "", _yes(ROWS / taken >= factor if many else taken <= factor)
    titles = {"peer": "the best peer", "jax": "the best JAX", "torch": "PyTorch, eager", "c": "the C"}
    title = titles[requirement.against]
    within = requirement.sense == "within"
    asked = f"≤ {factor:g} × the time of {title}" if within else f"{factor:g} × as fast as {title}"
    rivals = [name for name in times if _counts(name, requirement.against)]
    if OURS not in times or not rivals:
        return asked, "–", "", "not measured"
    best = min(rivals, key=lambda name: statistics.median(times[name][measure]))
    ours, theirs = times[OURS][measure], times[best][measure]
    found = ratio(ours, theirs) if within else ratio(theirs, ours)
    return asked, f"{found:.2f} ×", best, _yes(found <= factor if within else found >= factor)


def _counts(name: str, against: str) -> bool:
    family = name.partition("@")[0]
    return family not in {OURS, "c"} if against == "peer" else family == against


def _yes(reached: bool) -> str:
    return "yes" if reached else "**no**"


if __name__ == "__main__":
    main()
