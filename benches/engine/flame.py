"""Where the processor's time goes, as a flame graph: reads `perf script` from its standard input and writes an SVG.

    perf record -F 199 -g -e cpu-clock -p PIDS -o perf.data -- sleep 10
    perf script -i perf.data | python3 benches/engine/flame.py > flame.svg

Each box is a function, as wide as its share of the samples; what it calls stands on it. Boxes below half a percent are
left out, so that the picture stays small."""

import collections
import html
import re
import sys

WIDTH, LINE, LEAST = 1200, 16, 0.005
FRAME = re.compile(r"^\s+[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \(.*\)$")


class Box:
    def __init__(self):
        self.samples, self.calls = 0, collections.defaultdict(Box)


def read(lines):
    """The tree of what called what; whose time it is stands at its foot."""
    root, stack, command = Box(), [], None
    for line in lines:
        frame = FRAME.match(line)
        if frame:
            stack.append(re.sub(r"::h[0-9a-f]{16}$", "", frame.group(1)))
        elif line.strip():
            command = line.split()[0]
        elif command:
            box, stack = root, [*stack, command]
            box.samples += 1
            for name in reversed(stack):
                box = box.calls[name]
                box.samples += 1
            stack, command = [], None
    return root


def draw(name, box, left, level, all_samples, boxes):
    share = box.samples / all_samples
    if share < LEAST:
        return level
    boxes.append((name, left, share, level))
    top = level
    for called, inner in sorted(box.calls.items()):
        top = max(top, draw(called, inner, left, level + 1, all_samples, boxes))
        left += inner.samples / all_samples
    return top


def main():
    root, boxes = read(sys.stdin), []
    top = draw("all", root, 0.0, 0, max(root.samples, 1), boxes)
    height = (top + 1) * LINE
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">')
    for name, left, share, level in boxes:
        x, y, width = left * WIDTH, height - (level + 1) * LINE, share * WIDTH
        shown = name[: max(int(width / 7) - 1, 0)]
        hue = 20 + sum(map(ord, name)) % 35
        print(
            f'<g><title>{html.escape(name)} {share:.1%}</title>'
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{LINE - 1}" fill="hsl({hue},80%,65%)"/>'
            + (f'<text x="{x + 2:.1f}" y="{y + 11}">{html.escape(shown)}</text>' if len(shown) > 2 else "")
            + "</g>"
        )
    print("</svg>")


if __name__ == "__main__":
    main()
