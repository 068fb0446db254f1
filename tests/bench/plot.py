# SPDX-License-Identifier: Apache-2.0
"""Charts as SVG text: bars, and lines over a logarithmic axis. Nothing but the standard library."""

import math
from html import escape
from pathlib import Path

WIDTH = 760
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 40, 52
COLOURS = ("#1b6ca8", "#c8553d", "#3d8361", "#8d5a97", "#b08900", "#4c4c4c")
STYLE = "font-family:sans-serif;font-size:12px"


def _text(x: float, y: float, text: str, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{escape(text)}</text>'


def _number(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def _document(title: str, height: int, parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" style="{STYLE}">'
    )
    ground = f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    title_text = _text(WIDTH / 2, 20, title, "middle", 'font-weight="bold"')
    return "\n".join([head, ground, title_text, *parts, "</svg>"]) + "\n"


def _step(top: float) -> float:
    """A round distance of the lines of the grid."""
    power = 10 ** math.floor(math.log10(top / 5))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= top / 5)


def bars(path: Path, title: str, unit: str, rows: list[tuple[str, float, float, float]]) -> None:
    """One bar a row: name, value, and the lowest and highest of the runs."""
    left, bar = 250, 20
    height = TOP + len(rows) * (bar + 6) + BOTTOM
    top = max((high for _, _, _, high in rows), default=1.0)
    scale = (WIDTH - left - RIGHT - 40) / top
    parts = []
    for i, (name, value, low, high) in enumerate(rows):
        y = TOP + i * (bar + 6)
        middle = y + bar / 2
        parts += [
            _text(left - 8, y + bar - 6, name, "end"),
            f'<rect x="{left}" y="{y}" width="{value * scale:.1f}" height="{bar}" '
            f'fill="{COLOURS[0]}"/>',
            f'<path d="M{left + low * scale:.1f} {middle}H{left + high * scale:.1f}" '
            f'stroke="#222222"/>',
            _text(left + high * scale + 6, y + bar - 6, _number(value)),
        ]
    parts.append(_text(left, height - 20, f"{unit}; the thin line: lowest to highest of the runs"))
    path.write_text(_document(title, height, parts))


def lines(
    path: Path,
    title: str,
    x_name: str,
    y_name: str,
    series: dict[str, list[tuple[float, float]]],
) -> None:
    """Lines over a logarithmic x axis; y begins at 0."""
    height = 420
    points = [p for line in series.values() for p in line]
    low = math.log10(min(x for x, _ in points))
    high = math.log10(max(x for x, _ in points))
    top = max(y for _, y in points) * 1.08
    span = (high - low) or 1.0

    def at_x(x: float) -> float:
        return LEFT + (math.log10(x) - low) / span * (WIDTH - LEFT - RIGHT)

    def at_y(y: float) -> float:
        return height - BOTTOM - y / top * (height - TOP - BOTTOM)

    parts = []
    step = _step(top)
    for i in range(int(top / step) + 1):
        y = at_y(i * step)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>')
        parts.append(_text(LEFT - 6, y + 4, _number(i * step), "end"))
    for x in sorted({x for x, _ in points}):
        parts.append(f'<path d="M{at_x(x):.1f} {height - BOTTOM}v5" stroke="#222222"/>')
        parts.append(_text(at_x(x), height - BOTTOM + 18, _number(x), "middle"))
    for i, (name, line) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        way = "L".join(f"{at_x(x):.1f} {at_y(y):.1f}" for x, y in line)
        parts.append(f'<path d="M{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{at_x(x):.1f}" cy="{at_y(y):.1f}" r="3" fill="{colour}"/>'
            for x, y in line
        ]
        y = TOP + 8 + i * 16
        parts.append(f'<rect x="{LEFT + 10}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(LEFT + 26, y, name))
    parts.append(_text(WIDTH / 2, height - 12, x_name, "middle"))
    parts.append(_text(14, height / 2, y_name, "middle", f'transform="rotate(-90 14 {height / 2})"'))
    path.write_text(_document(title, height, parts))
