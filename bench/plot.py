"""Two plots of a benchmark's results, as SVG: latency by percentile, and throughput by the number of connections."""
import math
import re
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 150, 40, 50
COLOURS = {"null responder": "#999999", "pgmemo": "#0b6e4f", "postgres": "#336791", "pgbouncer": "#c8553d", "pgpool": "#f2a541"}
PERCENTILES = ("p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99")


@dataclass
class Plot:
    name: str
    svg: str


def _ticks(least, most):
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
    return [10 ** power for power in range(low, max(high, low + 1) + 1)]


def _figure(title, x_label, y_label, x_names, lines):
    """Lines over evenly spaced x, with a logarithmic y. `lines`: name -> values, None where there is none."""
    values = [value for line in lines.values() for value in line if value]
    if not values:
        return None
    ticks = _ticks(min(values), max(values))
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])
    x_of = lambda i: LEFT + (WIDTH - LEFT - RIGHT) * (i / max(len(x_names) - 1, 1))
    y_of = lambda value: HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(value) - low) / (high - low)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           f'<text x="{LEFT}" y="22" font-size="14" font-weight="bold">{escape(title)}</text>']
    for tick in ticks:
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_of(tick):.1f}" y2="{y_of(tick):.1f}" stroke="#dddddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y_of(tick) + 4:.1f}" text-anchor="end">{tick:,.10g}</text>')
    for i, name in enumerate(x_names):
        out.append(f'<text x="{x_of(i):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(name)}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>')
    out.append(f'<text transform="translate(16 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>')
    for row, (name, line) in enumerate(lines.items()):
        colour = COLOURS.get(name, "#000000")
        points = " ".join(f"{x_of(i):.1f},{y_of(value):.1f}" for i, value in enumerate(line) if value)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for i, value in enumerate(line):
            if value:
                out.append(f'<circle cx="{x_of(i):.1f}" cy="{y_of(value):.1f}" r="3" fill="{colour}"/>')
        out.append(f'<text x="{WIDTH - RIGHT + 12}" y="{TOP + 18 * row + 10}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])


def latency(results, scenario="point SELECT, hit, prepared"):
    found = results["scenarios"].get(scenario)
    if not found:
        return None
    lines = {name: [one["latency_us"].get(key) for key in PERCENTILES] for name, one in found["contestants"].items()}
    return _figure(f"Latency: {scenario}, 8 connections", "percentile", "microseconds", PERCENTILES, lines)


def throughput(results):
    counts = {8: "point SELECT, hit, prepared"}
    for name in results["scenarios"]:
        if found := re.fullmatch(r"point SELECT, hit, prepared, (\d+) connections", name):
            counts[int(found[1])] = name
    counts = {count: name for count, name in sorted(counts.items()) if name in results["scenarios"]}
    if len(counts) < 2:
        return None
    names = list(dict.fromkeys(one for name in counts.values() for one in results["scenarios"][name]["contestants"]))
    lines = {one: [results["scenarios"][name]["contestants"].get(one, {}).get("per_second", {}).get("median")
                   for name in counts.values()] for one in names}
    return _figure("Throughput: point SELECT, hit, prepared", "connections", "queries a second", [str(one) for one in counts], lines)


def all_of(results):
    """The plots for which the results have what is needed."""
    for name, svg in (("latency.svg", latency(results)), ("throughput.svg", throughput(results))):
        if svg:
            yield Plot(name, svg)
