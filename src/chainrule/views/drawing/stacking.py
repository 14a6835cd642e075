"""What ranks must meet when nodes stand in frames: a frame that feeds another stands above the whole of it, where that is possible."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.views.drawing.layers import Frames
from chainrule.views.drawing.ranks import Link, longest_path

EDGE_WEIGHT = 4
"""What a rank of an edge costs beside a rank of a frame's height, 1."""


def demands(count: int, edges: Sequence[tuple[int, int]], frames: Frames) -> tuple[int, list[Link]]:
    """How many variables there are (the nodes first, then top and bottom of each frame), and what they must meet."""
    total = count + 2 * len(frames.parents)
    links = [Link(tail, head, 1, EDGE_WEIGHT) for tail, head in edges]

    def top(frame: int) -> int:
        return count + 2 * frame

    def bottom(frame: int) -> int:
        return count + 2 * frame + 1

    for node, frame in enumerate(frames.inside):
        if frame >= 0:
            links += [Link(top(frame), node, 0, 0), Link(node, bottom(frame), 0, 0)]
    for frame, parent in enumerate(frames.parents):
        links.append(Link(top(frame), bottom(frame), 0, 1))
        if parent >= 0:
            links += [Link(top(parent), top(frame), 0, 0), Link(bottom(frame), bottom(parent), 0, 0)]
    for (tail_kind, tail), (head_kind, head) in _stacked(edges, frames):
        # A frame at a time: one that also needs what it feeds cannot stand above it.
        link = Link(tail if tail_kind == "node" else bottom(tail), head if head_kind == "node" else top(head), 1, 0)
        if longest_path(total, [*links, link]) is not None:
            links.append(link)
    return total, links


def _stacked(edges: Sequence[tuple[int, int]], frames: Frames) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    """For each edge the outermost of what is around its one end and not around the other, and the same for the other end."""
    found: dict[tuple[tuple[str, int], tuple[str, int]], None] = {}
    if frames.parents:
        for tail, head in edges:
            tail_path, head_path = frames.path(frames.inside[tail]), frames.path(frames.inside[head])
            shared = 0
            while shared < min(len(tail_path), len(head_path)) and tail_path[shared] == head_path[shared]:
                shared += 1
            ends = _end(tail, tail_path, shared), _end(head, head_path, shared)
            if "frame" in {ends[0][0], ends[1][0]}:
                found[ends] = None
    return list(found)


def _end(node: int, path: Sequence[int], shared: int) -> tuple[str, int]:
    return ("frame", path[shared]) if len(path) > shared else ("node", node)
