"""`chainrule show`: a run or a network, as summary, graph, training step or code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.text import Text

from chainrule.cli.code import network_code, run_code
from chainrule.cli.locate import opened, run_folder, step_option
from chainrule.cli.output import ExplainedCommand, console
from chainrule.cli.runs import record
from chainrule.cli.saved import saved_engine, saved_environment
from chainrule.cli.scores import scaling_facts
from chainrule.data import Dataset, DatasetInfo, Examples
from chainrule.engines import ENGINES, Loop, engine_named
from chainrule.errors import MissingFileError, OptionError
from chainrule.graph import Graph, run_passes
from chainrule.nn import Sequential, build_network, parse_network, summary
from chainrule.nn.peers import STYLES
from chainrule.ops import SIMPLIFICATIONS
from chainrule.train import LearningProblem, Run, RunFolder, Settings, optimizer_named
from chainrule.train.configuration import Configuration
from chainrule.train.sealed import UNREADABLE, as_written
from chainrule.views.drawing import draw_graph, open_enough
from chainrule.views.plain import counted, duration, optimizer_text, printable, printable_lines
from chainrule.views.sentences import data_text
from chainrule.views.terminal import CurvesView, NetworkView, code_text, facts

ENGINE_STAGES = tuple(dict.fromkeys(stage for kind in ENGINES.values() for stage in kind.stages))
STAGES = ("summary", "graph", "gradient", *ENGINE_STAGES, "code")


@click.command(
    cls=ExplainedCommand,
    words="A pre-activation is a layer's z = x·W + b, its activation a = f(z) what it hands on. A graph has a line to each quantity: "
    "name, type[shape], the op that makes it, and behind an @ the layer that it belongs to. A pass is a rewriting of the graph that "
    "changes no number.",
    examples=(
        "chainrule show 784-16-16-10",
        "chainrule show runs/latest",
        "chainrule show 2-3-1 --stage gradient --trace",
        "chainrule show 2-4-3-1 --stage graph --svg graph.svg",
        "chainrule show 784-16-16-10 --stage schedule",
        "chainrule show runs/latest --stage code",
        "chainrule show 784-16-16-10 --code pytorch",
    ),
)
@click.argument("what", metavar="WHAT")
@click.option(
    "--stage",
    type=click.Choice(STAGES),
    default="summary",
    show_default=True,
    help="summary: layers with their numbers of parameters and ranges (and for a run its curves and settings). graph: from input to "
    "output. gradient: a whole training step, which is forward, backward and update. schedule: its loops. buffers: its memory. llvm: "
    "its code for the compiler. assembly: its instructions for this processor. jaxpr, stablehlo, hlo: what JAX and XLA make of it. code: "
    "Python that makes the same.",
)
@click.option(
    "--code",
    type=click.Choice(STYLES),
    help="Print the network, and nothing else, as code of this library; one that lacks a layer says so. In place of --stage.",
)
@click.option("--raw", is_flag=True, help="With graph and gradient: as it was built, before the passes made it simpler.")
@click.option("--trace", is_flag=True, help="With graph and gradient: print what each pass changed.")
@click.option(
    "--svg",
    metavar="FILE",
    help="With graph and gradient: draw it into this file (.svg, .pdf or .png), large graphs folded by layer.",
)
@click.option(
    "--loss", metavar="NAME", help="With a training step of a network: the loss.  [default: what goes with the last layer]"
)
@click.option(
    "--optimizer", default="sgd", show_default=True, metavar="NAME", help="With a training step of a network: the optimizer."
)
@click.option(
    "--batch-size",
    type=int,
    default=32,
    show_default=True,
    help="With a training step of a network: how many examples a batch has.",
)
@step_option
def show(
    what: str,
    stage: str,
    code: str | None,
    raw: bool,
    trace: bool,
    svg: str | None,
    loss: str | None,
    optimizer: str,
    batch_size: int,
    step: int | None,
) -> None:
    """Show WHAT: a run folder (or the word latest), or a network such as "784-16-16-10 relu softmax"."""
    if svg is not None and stage not in {"graph", "gradient"}:
        raise OptionError(f"--svg with --stage {stage}", expected="--stage graph or gradient", remedy="add --stage graph")
    if code is not None and (stage not in {"summary", "code"} or raw or trace):
        raise OptionError(
            f"--code {code} with what shows a graph", expected="--code alone", remedy="leave out --stage, --raw and --trace"
        )
    folder = _folder(what)
    net = parse_network(what) if folder is None else None
    screen = console()
    if code is not None or stage == "code":
        screen.print(Text(printable_lines(_code(net, folder, code))), soft_wrap=True)
    elif stage == "summary" and folder is not None:
        _show_run(screen, folder, step)
    elif stage == "summary" and net is not None:
        screen.print(NetworkView(summary(net)))
    elif stage in ENGINE_STAGES:
        run = opened(what, step) if folder is not None else None
        loop = _loop(parse_network(what), loss, optimizer, batch_size) if run is None else run.trainer.loop
        screen.print(code_text(printable_lines(_engine_stage(stage, run, loop))), soft_wrap=True)
    elif folder is not None:
        graph = opened(what, step).graph("forward" if stage == "graph" else "step")
        _show_graph(screen, graph, raw=raw, trace=trace, svg=svg)
    elif net is not None:
        graph = _forward(net) if stage == "graph" else _loop(net, loss, optimizer, batch_size).graphs[batch_size]
        _show_graph(screen, graph, raw=raw, trace=trace, svg=svg)


def _engine_stage(stage: str, run: Run | None, loop: Loop) -> str:
    """A stage of what ran; of a network, and where the run's engine has no such stage, of what the first engine that has would run."""
    if run is not None and stage in run.trainer.engine.stages:
        return run.lowered(stage)
    name = next(name for name, kind in ENGINES.items() if stage in kind.stages)
    return engine_named(name).lowered(loop, stage)


def _folder(what: str) -> RunFolder | None:
    """The run folder that is meant, or None if the word is the text of a network."""
    try:
        return run_folder(what)
    except MissingFileError:
        # "2026-11-21_12-00-00_moons" begins like a network's text: the underscore and the slash tell.
        if Path(what).exists() or re.match(r"\s*\d", what) is None or re.search(r"[/\\_]", what) is not None:
            raise
        return None


def _code(net: Sequential | None, folder: RunFolder | None, style: str | None) -> str:
    """The code of a network, or of a run's; without a style that of the whole run."""
    if folder is None:
        return network_code(net, style or "chainrule")
    saved = Configuration.read(folder)
    with as_written(folder.path / "config.json"):
        return run_code(saved) if style is None else network_code(saved.network, style, saved.dataset_info)


# ---- runs


def _show_run(screen: Console, folder: RunFolder, step: int | None) -> None:
    """From the folder alone: also where the data are no longer there."""
    saved = Configuration.read(folder)
    data, settings = saved.dataset_info, saved.settings
    if saved.network is not None:
        with as_written(folder.path / "config.json"):
            layers = summary(saved.network, data.input_shape)
        screen.print(NetworkView(layers))
        screen.print()
    found = record(folder.path)
    pairs: list[tuple[str, str | Text]] = [
        ("Run", printable(folder.path)),
        ("Data", data_text(data, saved.objective)),
        ("", _source(saved.source, data)),
        ("Loss", saved.objective.formula),
        *scaling_facts(data),
        ("Training", f"epoch {found.epochs}, batches of {counted(settings.batch_size, 'example')}, {_seeds(settings)}"),
        ("Optimizer", f"{optimizer_text(settings.optimizer)}; {settings.dtype}, {settings.engine} engine"),
    ]
    pairs += [
        (word, str(value)) for word, value in (("Stopping", settings.early_stopping), ("Clipping", settings.clip)) if value
    ]
    try:
        pairs += _engine(saved_engine(folder))
    except UNREADABLE:
        pairs.append(("Code", "engine.json cannot be read"))
    pairs += [("Time", duration(found.seconds)), *_environment(saved_environment(folder))]
    screen.print(facts(pairs))
    screen.print()
    screen.print(CurvesView(folder.read_history(folder.snapshot(step), settings.replicas, settings.dtype)))


def _seeds(settings: Settings) -> str:
    if settings.replicas == 1:
        return f"seed {settings.seed}"
    return f"{settings.replicas} networks, seeds {settings.seed} ... {settings.seed + settings.replicas - 1}"


def _source(load: Mapping[str, Any] | None, data: DatasetInfo) -> str:
    """Where the data came from, and their hash."""
    options = "".join(f", {key}={value}" for key, value in (load or {}).items() if key != "name_or_path")
    source = load["name_or_path"] if load else "arrays in memory"
    return printable(f"from {source}{options}; hash {data.hash[:12]}")


def _engine(found: dict[str, Any]) -> list[tuple[str, str | Text]]:
    """What was compiled: kernels, time, memory."""
    if found.get("engine") == "xla":
        return [("Code", _xla_code(found))]
    if found.get("engine") != "native":
        return []
    kernels = max((len(labels) for labels in found.get("kernels", {}).values()), default=0)
    origin = "from the cache" if found.get("from_cache") else "compiled"
    text = (
        f"{counted(kernels, 'kernel')} a step, {origin} in {found.get('compile_seconds', 0):.2f} s for {found.get('processor')}"
    )
    memory = (
        f"{found.get('arena_bytes', 0):,} bytes of memory beside the parameters, {counted(found.get('threads', 1), 'thread')}"
    )
    return [("Code", printable(f"{text}; {memory}"))]


def _xla_code(found: dict[str, Any]) -> str:
    """What JAX compiled: for which devices, with how much memory on each."""
    origin = "from the cache" if found.get("from_cache") else "compiled"
    device = f"{counted(found.get('devices', 1), 'device')} of the kind {found.get('device')}"
    memory = ", ".join(f"{count:,} bytes of {name}" for name, count in found.get("bytes", {}).items())
    return printable(f"JAX {found.get('jax')} for {device}, {origin} in {found.get('compile_seconds', 0):.2f} s; {memory}")


def _environment(found: dict[str, Any]) -> list[tuple[str, str | Text]]:
    if not found:
        return []
    versions = ", ".join(f"{name} {found[name]}" for name in ("chainrule", "python", "numpy") if name in found)
    machine = ", ".join(str(found[name]) for name in ("platform", "processors") if name in found)
    return [
        ("Started", printable(found.get("started", "not known"))),
        ("Versions", printable(versions)),
        ("Machine", printable(machine) + (" processors" if "processors" in found else "")),
    ]


# ---- graphs


def _show_graph(screen: Console, graph: Graph, *, raw: bool, trace: bool, svg: str | None) -> None:
    simpler, steps = run_passes(graph, SIMPLIFICATIONS)
    if trace:
        for step in steps:
            screen.print(code_text(printable_lines(step)), soft_wrap=True)
        screen.print()
    shown = graph if raw else simpler
    if svg is not None:
        path = draw_graph(shown, unfold=open_enough(shown)).save(svg)
        screen.print(Text(f"drawn into {printable(path)}"))
        return
    screen.print(code_text(printable_lines(shown)), soft_wrap=True)
    counts = f"{counted(len(graph.nodes), 'node')} as built, {len(simpler.nodes)} after {len(steps)} passes"
    other = "without --raw: after the passes" if raw else "--raw: as built"
    screen.print(
        Text(f"# {counts}; shown: {'as built' if raw else 'after the passes'} ({other}; --trace: what they changed)", "dim")
    )


def _forward(net: Sequential) -> Graph:
    return Graph({"output": build_network(net, net.input_shape or ()).output})


def _loop(net: Sequential, loss: str | None, optimizer: str, batch_size: int) -> Loop:
    """A training loop on made-up data of the right shape: classes where the network can tell them apart, else numbers."""
    if batch_size < 1:
        raise OptionError(f"--batch-size {batch_size}", expected="1 or more", remedy="leave it out for 32")
    shape = net.input_shape or ()
    outputs = build_network(net, shape).output.shape[1]
    classes = max(outputs, 2) if outputs > 1 or summary(net).rows[-1].range == "[0, 1]" else None
    y = np.zeros(1, dtype=np.int64) if classes else np.zeros((1, outputs))
    names = tuple(map(str, range(classes))) if classes else None
    data = Dataset("example", Examples(np.zeros((1, *shape)), y), classes=names)
    return LearningProblem(net, data.info, loss, batch_size=batch_size).training_loop(optimizer_named(optimizer), {batch_size})
