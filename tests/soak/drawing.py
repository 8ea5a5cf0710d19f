"""A run of the soak as a picture: a small graph for each figure, readable on light and on dark."""

import json
from collections.abc import Sequence
from html import escape

_COLUMNS = 3
_WIDE, _HIGH = 250, 84  # of one graph, without the words above it
_LEFT, _TOP, _GAP_ACROSS, _GAP_DOWN = 24, 84, 26, 50
_INK, _PAPER, _FAINT, _LINE, _JUDGED = "#222222", "#ffffff", "#dddddd", "#4477aa", "#eef3f8"


def drawn(figures: str) -> str:
    """The text of an SVG file; `figures` has a reading on each line, as `--figures` keeps them."""
    readings = [json.loads(line) for line in figures.splitlines()]
    seconds = [each.pop("seconds") for each in readings]
    names = list(readings[0])
    rows = -(-len(names) // _COLUMNS)
    width = _LEFT * 2 + _COLUMNS * _WIDE + (_COLUMNS - 1) * _GAP_ACROSS
    height = _TOP + rows * (_HIGH + _GAP_DOWN)
    box = f'viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="12" fill="{_INK}"'
    below = (
        "each from nothing up, with its most and its last; the slope over the shaded third is what is judged"
    )
    title = f"Fifty clients for {seconds[-1] / 60:.0f} minutes"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f"<title>{title}</title>",
        f'<rect width="{width}" height="{height}" fill="{_PAPER}"/>',
        f'<text x="{_LEFT}" y="30" font-size="16" font-weight="bold">{title}</text>',
        f'<text x="{_LEFT}" y="50">{below}</text>',
    ]
    for number, name in enumerate(names):
        row, column = divmod(number, _COLUMNS)
        place = _LEFT + column * (_WIDE + _GAP_ACROSS), _TOP + row * (_HIGH + _GAP_DOWN)
        lines += _graph(name, seconds, [each[name] for each in readings], place)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _graph(name: str, seconds: Sequence[float], values: Sequence[float], place: tuple[int, int]) -> list[str]:
    x, y = place
    most = max(values)
    across, up = _WIDE / (seconds[-1] or 1), _HIGH / (most * 1.1 or 1)
    points = " ".join(
        f"{x + at * across:.1f},{y + _HIGH - value * up:.1f}"
        for at, value in zip(seconds, values, strict=True)
    )
    judged = x + seconds[len(seconds) * 2 // 3] * across
    shade = f'x="{judged:.1f}" y="{y}" width="{x + _WIDE - judged:.1f}" height="{_HIGH}"'
    return [
        f'<text x="{x}" y="{y - 6}">{escape(name)}</text>',
        f'<text x="{x + _WIDE}" y="{y - 6}" text-anchor="end">{most:,.0f} · {values[-1]:,.0f}</text>',
        f'<rect {shade} fill="{_JUDGED}"/>',
        f'<path d="M{x} {y}v{_HIGH}h{_WIDE}" fill="none" stroke="{_FAINT}"/>',
        f'<polyline points="{points}" fill="none" stroke="{_LINE}" stroke-width="1.5"/>',
    ]
