#!/usr/bin/env python3
"""Draws `curves.json` as `docs/speed.svg`, and prints it as tables for `docs/speed.md`."""

import json
import math
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
PICTURE = HERE.parent.parent / "docs/speed.svg"
WIDTH, HEIGHT = 1000, 360
STYLE = """
  text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; fill: #575248; }
  .title { font-size: 15px; font-weight: 600; fill: #23211d; }
  .ground { fill: #ffffff; }
  .grid { stroke: #e5e1da; }
  .first, .second { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
  .first { stroke: #0a6464; }
  .second { stroke: #855400; stroke-dasharray: 6 5; }
  circle.first { fill: #0a6464; } circle.second { fill: #855400; stroke-dasharray: none; }
  text.first { fill: #0a6464; font-weight: 600; } text.second { fill: #855400; font-weight: 600; }
  text.first, text.second { stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #bbb4a8; }
    .title { fill: #ece8e1; }
    .ground { fill: #211f1c; }
    .grid { stroke: #37342e; }
    .first { stroke: #62c4be; } .second { stroke: #e6b75c; }
    circle.first { fill: #62c4be; } circle.second { fill: #e6b75c; }
    text.first { fill: #62c4be; } text.second { fill: #e6b75c; }
  }"""

Point = tuple[float, float]


@dataclass
class Panel:
    """A chart of one or two lines over a common ground that begins at nothing."""

    left: float
    title: str
    under: str
    lines: dict[str, list[Point]]
    # Where the ground is marked, and with what.
    marks: dict[float, str]
    logarithmic: bool = False
    top: float = field(init=False)

    WIDE, HIGH, UP = 396, 220, 78

    def __post_init__(self) -> None:
        self.top = round_above(max(y for line in self.lines.values() for _, y in line))

    def across(self, x: float) -> float:
        low, high = min(self.marks), max(self.marks)
        if self.logarithmic:
            low, high, x = math.log10(low), math.log10(high), math.log10(x)
        return round(self.left + self.WIDE * (x - low) / (high - low), 1)

    def down(self, y: float) -> float:
        return round(self.UP + self.HIGH * (1 - y / self.top), 1)

    def drawn(self) -> str:
        lines = "".join(self.line(kind, name) for kind, name in zip(("first", "second"), self.lines))
        return text(self.left, 30, self.title, "title") + self.grid() + lines

    def grid(self) -> str:
        steps = [self.top * n / 4 for n in range(5)]
        rules = (f'<path class="grid" d="M{self.left} {self.down(y)}h{self.WIDE}"/>' for y in steps)
        heights = (text(self.left - 10, self.down(y) + 4, f"{y:,.0f}", anchor="end") for y in steps)
        marks = (text(self.across(x), self.down(0) + 22, told, anchor="middle") for x, told in self.marks.items())
        under = text(self.left + self.WIDE / 2, self.down(0) + 44, self.under, anchor="middle")
        return "".join([*rules, *heights, *marks, under])

    def line(self, kind: str, name: str) -> str:
        points = [(self.across(x), self.down(y)) for x, y in self.lines[name]]
        path = "M" + "L".join(f"{x} {y}" for x, y in points)
        dots = "".join(f'<circle class="{kind}" cx="{x}" cy="{y}" r="2.5"/>' for x, y in points if 2 < len(points) < 10)
        # The names stand over the chart, where no line runs.
        at = self.left + (0 if kind == "first" else self.WIDE / 2)
        key = f'<path class="{kind}" d="M{at} 51h26"/>' + text(at + 34, 55, name, kind)
        return f'<path class="{kind}" d="{path}"/>{dots}{key}'


def text(x: float, y: float, told: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(told)}</text>\n'


def round_above(value: float) -> float:
    """The next of a few numbers that can be quartered well."""
    zeros = 10 ** math.floor(math.log10(value))
    return next(zeros * step for step in (1.2, 2, 4, 8, 12) if zeros * step >= value)


def over_the_past(size: dict) -> Panel:
    names = {"postgres": "PostgreSQL", "sqlite": "SQLite"}
    lines = {names[store]: [(at["finished"], at["us_per_step"]) for at in told] for store, told in size.items()}
    marks = {at["finished"]: f"{at['finished']:,}" for at in size["postgres"]}
    return Panel(60, "Microseconds per step", "finished runs in the tables", lines, marks, logarithmic=True)


def beside_a_transaction(held: dict) -> Panel:
    share = [(at["load_minutes"], 100 * at["held"] / at["free"]) for at in held["slices"]]
    end = math.ceil(share[-1][0])
    lines = {"measured": share, "the least that is asked": [(0, 80), (end, 80)]}
    marks = {minute: str(minute) for minute in [*range(0, end, max(1, end // 5)), end]}
    return Panel(570, "Runs a second beside an open transaction, in %", "minutes of load", lines, marks)


def picture(numbers: dict) -> str:
    said = "How long a step takes as finished runs gather, and how fast runs go beside a transaction that stays open"
    panels = over_the_past(numbers["size"]).drawn() + beside_a_transaction(numbers["held"]).drawn()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">\n'
        f'<style>{STYLE}\n</style>\n<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="8"/>\n{panels}</svg>\n'
    )


def table(titles: list[str], rows: list[list[object]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def tables(numbers: dict) -> str:
    told = []
    for store, rows in numbers["size"].items():
        titles = ["finished runs", f"runs/s, {store}", "beside the fewest", "µs per step", "p50 ms", "client ms", "server ms"]
        columns = ("runs_per_second", "speed", "us_per_step", "p50_ms", "processor_ms_per_run", "server_ms")
        told.append(table(titles, [[f"{row['finished']:,}", *(row.get(c, "") for c in columns)] for row in rows]))
    for subject in ("workers", "waiting", "sqlite", "alone"):
        told.append(f"{subject}: {json.dumps(numbers.get(subject), indent=1)}\n")
    told.append(f"lost beside an open transaction: {numbers['held']['lost_in_the_last_quarter']:.0%}\n")
    return "\n".join(told)


if __name__ == "__main__":
    measured = json.loads((HERE / "curves.json").read_text())
    PICTURE.write_text(picture(measured))
    print(tables(measured))
