"""What was measured, as a table in Markdown and a plot in SVG."""

import html
from typing import List, Tuple

from .rows import Row, Rows

NAMES = {"loop": "libcurl alone (HTTP only)", "service": "care360-lookup", "go": "Go: franz-go, net/http", "benthos": "Benthos 4.27"}


def markdown(rows: List[Row], measured: Rows, machine: str) -> str:
    lines = [f"Medians of one run on {machine}. Only ratios count: absolute figures are this machine's.", "",
             "| | measured | target | |", "|---|---|---|---|"]
    for row in rows:
        verdict = "" if row.met is None else "met" if row.met else "missed"
        lines.append(f"| {row.what} | {row.value} | {row.target} | {verdict} |")
    lines += ["", "| load | | events/s | CPU an event | peak memory | the stub's core |", "|---|---|---|---|---|---|"]
    for (name, load, workers), runs in measured.costs.items():
        cost = measured.median(runs)
        if cost:
            more = f", {workers} workers" if workers > 1 else ""
            lines.append(f"| {load}{more} | {NAMES[name]} | {cost.rate:,.0f} | {cost.cpu_us:.1f} µs | {cost.rss_mib:.0f} MiB "
                         f"| {cost.stub_busy:.0%} busy |")
    return "\n".join(lines) + "\n"


def svg(title: str, bars: List[Tuple[str, float]]) -> str:
    """A bar for each, the shorter the better."""
    width, left, row = 760, 230, 34
    most = max(value for _, value in bars)
    height = 56 + row * len(bars)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
             f'font-family="sans-serif" font-size="14" role="img" aria-label="{html.escape(title)}">',
             f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
             f'<text x="16" y="28" font-size="16" fill="#1b1f24">{html.escape(title)}</text>']
    for number, (name, value) in enumerate(bars):
        y = 46 + row * number
        length = (width - left - 90) * value / most
        colour = "#0b6e4f" if name == NAMES["service"] else "#9aa5b1"
        parts += [f'<text x="{left - 10}" y="{y + 17}" text-anchor="end" fill="#1b1f24">{html.escape(name)}</text>',
                  f'<rect x="{left}" y="{y}" width="{length:.1f}" height="24" fill="{colour}"/>',
                  f'<text x="{left + length + 8:.1f}" y="{y + 17}" fill="#1b1f24">{value:.1f} µs</text>']
    return "\n".join([*parts, "</svg>"]) + "\n"
