"""How many edges cross in our layered drawings of random graphs, beside dagre's drawings of the same graphs.

    python benchmarks/crossings.py                              # ours against the recorded counts
    python benchmarks/crossings.py --record FOLDER              # asks dagre anew; FOLDER holds node_modules/@dagrejs/dagre

Each graph follows from its row in `CASES`: nodes in layers, edges from a layer to one further down. Both lay it out from the bare
list of edges, with ranks of their own. dagre places a bend in the middle of every edge as well; what crosses there and back
again is not counted against it. The counts are kept in `crossings.json` beside this file, with dagre's version; a test
holds ours to them.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
from bisect import bisect_right, insort
from pathlib import Path

from chainrule.views.drawing import layered

RECORD = Path(__file__).with_suffix(".json")
CASES = [
    (nodes, layers, density, seed)
    for nodes, layers in ((12, 4), (24, 5), (40, 8), (70, 10), (120, 12), (200, 16))
    for density in (1.2, 1.6, 2.2)
    for seed in range(8)
]
"""Nodes, layers, edges for each node, seed."""

_ASK_DAGRE = """
const dagre = require(process.argv[1] + "/node_modules/@dagrejs/dagre");
const graphs = JSON.parse(require("fs").readFileSync(0, "utf8"));
const drawn = graphs.map(([count, edges]) => {
  const g = new dagre.graphlib.Graph();
  g.setGraph({ranker: "network-simplex"});
  g.setDefaultEdgeLabel(() => ({}));
  for (let v = 0; v < count; v++) g.setNode(v, {width: 60, height: 30});
  for (const [v, w] of edges) g.setEdge(v, w);
  dagre.layout(g);
  return {
    nodes: [...Array(count).keys()].map(v => [g.node(v).x, g.node(v).y]),
    edges: edges.map(([v, w]) => g.edge(v, w).points.map(p => [p.x, p.y])),
  };
});
console.log(JSON.stringify({
  version: require(process.argv[1] + "/node_modules/@dagrejs/dagre/package.json").version, drawn: drawn,
}));
"""


def random_graph(nodes: int, layers: int, density: float, seed: int) -> tuple[int, list[tuple[int, int]]]:
    """The number of nodes and the edges of a case; most edges go to the next layer, few further."""
    chance = random.Random(f"{nodes} {layers} {density} {seed}").random
    layer = [v * layers // nodes for v in range(nodes)]
    edges: set[tuple[int, int]] = set()
    while len(edges) < int(density * nodes):
        tail = int(chance() * nodes)
        far = 1 + int(chance() < 0.2) + int(chance() < 0.08)
        below = [v for v in range(nodes) if layer[v] == layer[tail] + far]
        if below:
            edges.add((tail, below[int(chance() * len(below))]))
    return nodes, sorted(edges)


def crossings_of_drawing(nodes: list[list[float]], edges: list[tuple[int, int]], routes: list[list[list[float]]]) -> int:
    """Crossings of polylines between rows of nodes: pairs of edges that change sides between two rows."""
    heights = sorted({round(y, 3) for _, y in nodes})
    row = {y: index for index, y in enumerate(heights)}
    gaps: list[list[tuple[float, float]]] = [[] for _ in heights]
    for (tail, head), points in zip(edges, routes, strict=True):
        places = {row[round(nodes[end][1], 3)]: nodes[end][0] for end in (tail, head)}
        places |= {row[round(y, 3)]: x for x, y in points if round(y, 3) in row}
        first, last = min(places), max(places)
        for upper in range(first, last):
            gaps[upper].append((places[upper], places[upper + 1]))
    return sum(_inversions(gap) for gap in gaps)


def _inversions(pieces: list[tuple[float, float]]) -> int:
    total, seen = 0, []
    for _, lower in sorted(pieces):
        total += len(seen) - bisect_right(seen, lower)
        insort(seen, lower)
    return total


def ours(nodes: int, edges: list[tuple[int, int]]) -> tuple[int, int]:
    """Crossings in our drawing, and the ranks that its edges cover together."""
    layout = layered([(60.0, 30.0)] * nodes, edges)
    return layout.crossings, sum(int(layout.rank[head] - layout.rank[tail]) for tail, head in edges)


def record(folder: Path) -> None:
    """Asks dagre for all cases and writes the file."""
    graphs = [random_graph(*case) for case in CASES]
    answer = subprocess.run(
        ["node", "-e", _ASK_DAGRE, str(folder.resolve())], input=json.dumps(graphs), capture_output=True, text=True, check=True
    )
    found = json.loads(answer.stdout)
    rows = []
    for case, (_, edges), drawn in zip(CASES, graphs, found["drawn"], strict=True):
        heights = sorted({round(y, 3) for _, y in drawn["nodes"]})
        rank = [heights.index(round(y, 3)) for _, y in drawn["nodes"]]
        rows.append(
            {
                "case": case,
                "crossings": crossings_of_drawing(drawn["nodes"], edges, drawn["edges"]),
                "length": sum(rank[head] - rank[tail] for tail, head in edges),
            }
        )
    lines = ",\n".join("    " + json.dumps(row) for row in rows)
    RECORD.write_text(f'{{\n  "dagre": "{found["version"]}",\n  "graphs": [\n{lines}\n  ]\n}}\n', encoding="utf-8")


def main() -> None:
    """Prints both counts by size and density."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--record", type=Path, metavar="FOLDER", help="ask dagre anew; FOLDER holds node_modules/@dagrejs/dagre"
    )
    options = parser.parse_args()
    if options.record:
        record(options.record)
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    table: dict[tuple[int, float], list[tuple[int, int]]] = {}
    for row in recorded["graphs"]:
        nodes, layers, density, seed = row["case"]
        count, _ = ours(*random_graph(nodes, layers, density, seed))
        table.setdefault((nodes, density), []).append((count, row["crossings"]))
    print(f"crossings, sums over 8 graphs each; dagre {recorded['dagre']}")
    print(f"{'nodes':>6} {'edges/node':>10} {'ours':>7} {'dagre':>7} {'ours fewer or as few':>21}")
    for (nodes, density), pairs in table.items():
        good = sum(mine <= theirs for mine, theirs in pairs)
        print(
            f"{nodes:>6} {density:>10} {sum(p[0] for p in pairs):>7} {sum(p[1] for p in pairs):>7} {good:>16} of {len(pairs)}"
        )
    pairs = [pair for found in table.values() for pair in found]
    good = sum(mine <= theirs for mine, theirs in pairs)
    print(f"{'all':>6} {'':>10} {sum(p[0] for p in pairs):>7} {sum(p[1] for p in pairs):>7} {good:>16} of {len(pairs)}")


if __name__ == "__main__":
    main()
