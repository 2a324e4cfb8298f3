# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG, written by hand: no library is worth its dependencies for bars and lines."""

from html import escape

COLOURS = {
    "martlet": "#b5382a", "martlet-2": "#e0826f", "martlet-fixed": "#7d1f16",
    "martlet-users": "#c96a5b",
    "pgbouncer": "#2f5d8c", "odyssey": "#4f9d69", "pgagroal": "#c9973b", "pgpool": "#7a5ca8",
    "haproxy": "#7f8c8d", "single node": "#2f5d8c",
}
SPARE = ("#2f5d8c", "#4f9d69", "#c9973b", "#7a5ca8", "#7f8c8d")
FONT = 'font-family="Helvetica, Arial, sans-serif"'


def colour(name, index=0):
    """The same for the same name in all plots."""
    return COLOURS.get(name, SPARE[index % len(SPARE)])


def text(x, y, words, anchor="start", size=12, fill="#333", weight="normal"):
    """One line of text."""
    return (f'<text x="{x:.1f}" y="{y:.1f}" {FONT} font-size="{size}" fill="{fill}"'
            f' font-weight="{weight}" text-anchor="{anchor}">{escape(str(words))}</text>')


def line(x1, y1, x2, y2, stroke="#ddd", width=1):
    """One straight line."""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
            f' stroke="{stroke}" stroke-width="{width}"/>')


def frame(width, height, parts):
    """The whole picture, on white so that it can be read on dark pages, too."""
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            f' width="{width}" height="{height}" role="img">\n'
            f'<rect width="{width}" height="{height}" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def steps(most):
    """Round numbers from 0 that reach `most`."""
    if most <= 0:
        return [0, 1]
    size = 10.0 ** len(str(int(most)))
    while size > most:
        size /= 10
    for factor in (0.1, 0.2, 0.25, 0.5, 1, 2):
        if most / (size * factor) <= 6:
            size *= factor
            break
    count = int(most / size + 0.999)
    return [size * index for index in range(count + 1)]


def number(value):
    """As short as it can be without losing what matters."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:,.0f}"


def ratios(title, subtitle, rows):
    """Ratios with their spread, one a line; `rows` of (label, Ratio, bound or None)."""
    width, left, top, step = 860, 330, 74, 30
    height = top + step * len(rows) + 46
    most = max(1.2, *(min(row[1].most, 4) for row in rows)) * 1.05
    scale = (width - left - 90) / most
    parts = [text(24, 30, title, size=17, weight="bold"), text(24, 50, subtitle, fill="#777")]
    for value in steps(most):
        x = left + value * scale
        parts.append(line(x, top - 8, x, height - 34, "#999" if value == 1 else "#eee"))
        parts.append(text(x, height - 16, number(value), "middle", 11, "#777"))
    for index, (label, ratio, bound) in enumerate(rows):
        y = top + step * index
        good = ratio.median <= (bound if bound is not None else 1)
        fill = "#4f9d69" if good else "#b5382a"
        end = left + min(ratio.median, most) * scale
        parts.append(text(left - 10, y + 14, label, "end"))
        parts.append(f'<rect x="{left}" y="{y + 2}" width="{end - left:.1f}" height="16"'
                     f' fill="{fill}" opacity="0.85"/>')
        low, high = (left + min(one, most) * scale for one in (ratio.least, ratio.most))
        parts += [line(low, y + 10, high, y + 10, "#222", 1.5),
                  line(low, y + 6, low, y + 14, "#222", 1.5),
                  line(high, y + 6, high, y + 14, "#222", 1.5)]
        if bound is not None:
            x = left + bound * scale
            parts.append(line(x, y - 1, x, y + 21, "#000", 2))
        parts.append(text(max(end, high) + 8, y + 14, f"{ratio.median:.2f}", size=12,
                          weight="bold"))
    return frame(width, height, parts)


def bars(title, subtitle, unit, values):
    """One bar a name; `values` of (name, value)."""
    width, left, top, step = 760, 150, 74, 30
    height = top + step * len(values) + 40
    ticks = steps(max(value for _, value in values))
    scale = (width - left - 90) / ticks[-1]
    parts = [text(24, 30, title, size=17, weight="bold"), text(24, 50, subtitle, fill="#777")]
    for value in ticks:
        x = left + value * scale
        parts += [line(x, top - 8, x, height - 30, "#eee"),
                  text(x, height - 12, f"{number(value)} {unit}", "middle", 11, "#777")]
    for index, (name, value) in enumerate(values):
        y = top + step * index
        parts += [text(left - 10, y + 14, name, "end"),
                  f'<rect x="{left}" y="{y + 2}" width="{value * scale:.1f}" height="16"'
                  f' fill="{colour(name, index)}"/>',
                  text(left + value * scale + 6, y + 14, f"{number(value)} {unit}")]
    return frame(width, height, parts)


def lines(title, subtitle, labels, series, axis="linear"):
    """Lines over `labels`; `series` of (name, [value or None]). `axis`: linear or of numbers."""
    width, height, left, top, right, bottom = 760, 400, 70, 80, 150, 50
    known = [value for _, values in series for value in values if value is not None]
    ticks = steps(max(known, default=1))
    positions = list(range(len(labels))) if axis == "linear" else labels
    span = (positions[-1] - positions[0]) or 1

    def place(index, value):
        x = left + (positions[index] - positions[0]) / span * (width - left - right)
        return x, height - bottom - value / ticks[-1] * (height - top - bottom)

    parts = [text(24, 30, title, size=17, weight="bold"), text(24, 50, subtitle, fill="#777")]
    for value in ticks:
        _, y = place(0, value)
        parts += [line(left, y, width - right, y, "#eee"),
                  text(left - 8, y + 4, number(value), "end", 11, "#777")]
    every = max(1, len(labels) // 8)
    for index in range(0, len(labels), every):
        x, _ = place(index, 0)
        parts.append(text(x, height - bottom + 20, labels[index], "middle", 11, "#777"))
    for index, (name, values) in enumerate(series):
        points = [place(at, value) for at, value in enumerate(values) if value is not None]
        if not points:
            continue
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        fill = colour(name, index)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{fill}" stroke-width="2"/>')
        if len(points) < 20:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{fill}"/>'
                      for x, y in points]
        y = top + 20 * index
        parts += [f'<rect x="{width - right + 16}" y="{y - 9}" width="12" height="12"'
                  f' fill="{fill}"/>', text(width - right + 34, y + 2, name)]
    return frame(width, height, parts)
