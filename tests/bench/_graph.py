"""A graph of stacked bars as SVG, readable on light and on dark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 150, 64, 56
_FILLS = ("#4477aa", "#66ccee", "#ccbb44", "#aa3377")  # Paul Tol's "bright": told apart by the colour-blind
_INK, _PAPER, _LINES = "#222222", "#ffffff", "#dddddd"
_DASHED = f'stroke="{_INK}" stroke-width="2" stroke-dasharray="5 3"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Of each bar its parts, from the bottom up, in the order of `parts`; and how high it would be bare."""

    title: str
    across: str
    up: str
    parts: Sequence[str]
    bars: Mapping[str, Sequence[float]]
    bare: Mapping[str, float]


def drawn(graph: Graph) -> str:
    """The graph as the text of an SVG file."""
    most = max(*map(sum, graph.bars.values()), *graph.bare.values())
    step = _step(most)
    top = step * (int(1.08 * most / step) + 1)  # room for the figure above the highest
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" font-family="sans-serif" font-size="13" fill="{_INK}"'
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f"<title>{escape(graph.title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{_PAPER}"/>',
        f'<text x="{_LEFT}" y="28" font-size="16" font-weight="bold">{escape(graph.title)}</text>',
        f'<text x="{_LEFT}" y="48">{escape(graph.up)}</text>',
        *_scale(top, step),
        *_bars(graph, top),
        *_legend(graph),
        f'<text x="{middle:.0f}" y="{_HEIGHT - 12}" text-anchor="middle">{escape(graph.across)}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _step(most: float) -> int:
    """A round distance between lines, so that there are from four to ten."""
    return next(step for step in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000) if most / step <= 10)


def _y(amount: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - amount / top * (_HEIGHT - _TOP - _BOTTOM)


def _scale(top: float, step: int) -> list[str]:
    found = []
    for amount in range(0, int(top) + 1, step):
        y = _y(amount, top)
        found.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="{_LINES}"/>')
        found.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{amount:,}</text>')
    return found


def _bars(graph: Graph, top: float) -> list[str]:
    found = []
    room = (_WIDTH - _LEFT - _RIGHT) / len(graph.bars)
    wide = room * 0.62
    for place, (name, bar) in enumerate(graph.bars.items()):
        x = _LEFT + room * place + (room - wide) / 2
        found += _stacked(bar, x, wide, top)
        middle, end, bare = x + wide / 2, _y(sum(bar), top), _y(graph.bare[name], top)
        found += [
            f'<text x="{middle:.1f}" y="{end - 6:.1f}" text-anchor="middle">{sum(bar):,.0f}</text>',
            f'<path d="M{x - 6:.1f} {bare:.1f}h{wide + 12:.1f}" stroke="{_PAPER}" stroke-width="4"/>',
            f'<path d="M{x - 6:.1f} {bare:.1f}h{wide + 12:.1f}" {_DASHED}/>',
            f'<text x="{middle:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{escape(name)}</text>',
        ]
    return found


def _stacked(bar: Sequence[float], x: float, wide: float, top: float) -> list[str]:
    found, height = [], 0.0
    for amount, fill in zip(bar, _FILLS, strict=False):
        low, high = _y(height, top), _y(height + amount, top)
        place = f'x="{x:.1f}" y="{high:.1f}" width="{wide:.1f}" height="{low - high:.1f}"'
        found.append(f'<rect {place} fill="{fill}"/>')
        height += amount
    return found


def _legend(graph: Graph) -> list[str]:
    """The parts from the top down, as they lie in the bars."""
    found = []
    x, y = _WIDTH - _RIGHT + 16, _TOP + 12
    for name, fill in reversed(list(zip(graph.parts, _FILLS, strict=False))):
        found.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{fill}"/>')
        found.append(f'<text x="{x + 18}" y="{y}">{escape(name)}</text>')
        y += 22
    bare = f'<path d="M{x - 3} {y - 4}h18" {_DASHED}/><text x="{x + 18}" y="{y}">bare handler</text>'
    return [*found, bare]
