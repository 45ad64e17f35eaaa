"""Where each node of a graph stands in a picture: layers from left to right, few crossings, lines around the boxes.

References
----------
.. [1] K. Sugiyama, S. Tagawa, M. Toda, Methods for visual understanding of hierarchical system structures,
   IEEE Transactions on Systems, Man, and Cybernetics 11 (2), 1981, doi:10.1109/TSMC.1981.4308636: layers by the longest
   path, places in a layer by the means of the neighbours'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tidemill.column_lineage.graph import ColumnGraph

HEAD, ROW, PAD = 40.0, 20.0, 8.0
GAP, LANE = 26.0, 14.0
"""Heights: of a box's head, of a column, below the last one; between boxes, and of a line that passes between them."""
BETWEEN, MARGIN = 110.0, 24.0
_CHAR, _NARROWEST, _WIDEST = 7.0, 130.0, 320.0
_SWEEPS = 12


@dataclass(slots=True)
class Box:
    """A node's place, or (no key) a place where lines pass a layer."""

    key: str
    layer: int
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0

    @property
    def middle(self) -> float:
        """The height of its middle."""
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Boxes by key, the points through which the lines from one node to another pass, and the size of all."""

    boxes: Mapping[str, Box]
    through: Mapping[tuple[str, str], tuple[tuple[float, float], ...]]
    width: float
    height: float


@dataclass(slots=True)
class _Layers:
    boxes: list[list[Box]]
    neighbours: dict[int, list[Box]] = field(default_factory=dict)  # by id(box)

    def connect(self, one: Box, other: Box) -> None:
        self.neighbours.setdefault(id(one), []).append(other)
        self.neighbours.setdefault(id(other), []).append(one)


def lay_out(graph: ColumnGraph) -> Layout:
    """Place every node of a graph."""
    links = _links(graph)
    layer = _layers(graph.nodes, links)
    boxes = {
        key: Box(key, layer[key], _width(key, graph), HEAD + ROW * len(node.columns) + (PAD if node.columns else 0))
        for key, node in graph.nodes.items()
    }
    layers = _Layers([[] for _ in range(max(layer.values(), default=0) + 1)])
    for box in boxes.values():
        layers.boxes[box.layer].append(box)
    lanes = {link: _lanes(link, boxes, layers) for link in links}
    for _ in range(_SWEEPS):
        _sweep(layers)
    _set_x(layers.boxes)
    _set_y(layers)
    top = min((box.y for one in layers.boxes for box in one), default=0.0)
    for box in (box for one in layers.boxes for box in one):
        box.y += MARGIN - top
    return Layout(
        boxes=boxes,
        through={
            link: tuple(point for box in passed for point in ((box.x, box.middle), (box.x + box.width, box.middle)))
            for link, passed in lanes.items()
        },
        width=max((box.x + box.width for box in boxes.values()), default=0.0) + MARGIN,
        height=max((box.y + box.height for one in layers.boxes for box in one), default=0.0) + MARGIN,
    )


def _links(graph: ColumnGraph) -> list[tuple[str, str]]:
    """Pairs of nodes of which one reads the other."""
    found: dict[tuple[str, str], None] = {}
    for node in graph.nodes.values():
        found |= dict.fromkeys((read, node.key) for read in node.reads if read in graph.nodes)
    found |= dict.fromkeys((edge.source.node, edge.target.node) for edge in graph.edges)
    return [(source, target) for source, target in found if source != target]


def _layers(nodes: Iterable[str], links: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest path to each node; in a circle it ends somewhere."""
    keys = list(nodes)
    layer = dict.fromkeys(keys, 0)
    for _ in keys:
        moved = False
        for source, target in links:
            if layer[target] <= layer[source] < len(keys) - 1:
                layer[target] = layer[source] + 1
                moved = True
        if not moved:
            break
    readers = {source: [target for one, target in links if one == source] for source in keys}
    for key in keys:  # what reads nothing stands next to its first reader
        if readers[key] and not any(target == key for _, target in links):
            layer[key] = max(0, min(layer[target] for target in readers[key]) - 1)
    return layer


def _width(key: str, graph: ColumnGraph) -> float:
    node = graph.nodes[key]
    longest = max(
        [
            1.25 * (len(node.name) + 2),  # it is bold
            0 if node.complete else 25,
            *(len(one.name) + len(one.role) for one in node.columns.values()),
        ]
    )
    return min(_WIDEST, max(_NARROWEST, longest * _CHAR + 34))


def _lanes(link: tuple[str, str], boxes: Mapping[str, Box], layers: _Layers) -> list[Box]:
    """Places for a line in each layer between its ends."""
    first, last = boxes[link[0]], boxes[link[1]]
    lanes: list[Box] = []
    before = first
    for number in range(first.layer + 1, last.layer):
        lane = Box("", number, 0.0, LANE)
        layers.boxes[number].append(lane)
        layers.connect(before, lane)
        lanes.append(lane)
        before = lane
    layers.connect(before, last)
    return lanes


def _sweep(layers: _Layers) -> None:
    """Order each layer by the mean place of the neighbours in the layers before it, then behind it."""
    for numbers, side in ((range(len(layers.boxes)), -1), (range(len(layers.boxes) - 1, -1, -1), 1)):
        for number in numbers:
            place = {id(box): index for one in layers.boxes for index, box in enumerate(one)}
            means: dict[int, float] = {}
            for index, box in enumerate(layers.boxes[number]):
                near = [place[id(one)] for one in layers.neighbours.get(id(box), []) if (one.layer - number) * side > 0]
                means[id(box)] = sum(near) / len(near) if near else index
            layers.boxes[number].sort(key=lambda box: means[id(box)])


def _set_x(boxes: Sequence[Sequence[Box]]) -> None:
    x = MARGIN
    for layer in boxes:
        width = max((box.width for box in layer), default=0.0)
        for box in layer:
            box.x = x
            if not box.key:  # a line passes the whole layer
                box.width = width
        x += width + BETWEEN


def _set_y(layers: _Layers) -> None:
    """Stack each layer, then draw boxes towards their neighbours as far as the order lets them."""
    for layer in layers.boxes:
        y = 0.0
        for box in layer:
            box.y = y
            y += box.height + GAP
    for _ in range(_SWEEPS):
        for layer in layers.boxes:
            wanted = []
            for box in layer:
                near = layers.neighbours.get(id(box), [])
                wanted.append(sum(one.middle for one in near) / len(near) - box.height / 2 if near else box.y)
            _settle(layer, wanted)


def _settle(layer: Sequence[Box], wanted: Sequence[float]) -> None:
    """Place boxes as near as they can be to where they want to be, in their order and apart.

    Boxes that meet move as one to the mean of what they want (pool adjacent violators).
    """
    groups: list[tuple[list[int], float, float]] = []  # members, the mean wish of the first one's top, height so far
    for number, (box, wish) in enumerate(zip(layer, wanted, strict=True)):
        members, top, height = [number], wish, box.height + GAP
        while groups and groups[-1][1] + groups[-1][2] > top:
            before, before_top, before_height = groups.pop()
            total = before_top * len(before) + (top - before_height) * len(members)
            top = total / (len(before) + len(members))
            members, height = before + members, before_height + height
        groups.append((members, top, height))
    for members, top, _ in groups:
        y = top
        for number in members:
            layer[number].y = y
            y += layer[number].height + GAP
