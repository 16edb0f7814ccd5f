"""A cohort's report: one HTML page that needs nothing else. The times stand in its last section."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from cohort.counts import (
    FOUND,
    Ends,
    Share,
    Target,
    at_least,
    blockers,
    blocking,
    by_needle,
    classes_of,
    grouped,
    is_safe,
    is_searched,
    share,
    spines,
    spread,
    targets_of,
)
from cohort.spec import SERIES, Spec
from cohort.store import write_whole
from planner.explanation import DISCLAIMER
from planner.request import Approach

ALONG = Approach.ALONG_SCREW.value
SERIES_SAYS = (
    "The published series reached its goal in 30 of 31 procedures (72 targets); the one that was "
    "given up could not be seen for metal on fluoroscopy. Those were patients, operators and their "
    "judgement; these are generated spines and the limits of this planner. The two shares answer "
    "different questions."
)
Cell = str | Share
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem}h2{margin-top:2.2rem;border-bottom:1px solid #cbd5df}
table{border-collapse:collapse;margin:.8rem 0}caption{text-align:left;font-weight:600}
th,td{padding:.25rem .7rem;border-bottom:1px solid #e3e9ef;text-align:left;vertical-align:top}
.bar{display:inline-block;width:7rem;height:.6rem;background:#f0d9d5;margin-right:.6rem}
.bar i{display:block;height:100%;background:#2f7d5b}.note{color:#566573}
details{margin:.5rem 0}summary{cursor:pointer}"""


def write_report(spec: Spec, records: Sequence[dict[str, Any]], folder: Path) -> Path:
    """Write ``report.html``; all before its last section is the same for the same records."""
    path = folder / "report.html"
    write_whole(path, report(spec, records))
    return path


def report(spec: Spec, records: Sequence[dict[str, Any]]) -> str:
    """Return the page."""
    targets = targets_of(records)
    parts = [
        *_head(spec, records, targets),
        *(_ways(targets) if any(t["way"] for t in targets) else _shares(targets)),
        *_figures(targets),
        *_failures(targets),
        *_times(records),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{escape(spec.name)}</title><style>{_STYLE}</style>\n" + "\n".join(parts) + "\n"
    )


def _head(
    spec: Spec, records: Sequence[dict[str, Any]], targets: Sequence[Target]
) -> Iterator[str]:
    yield f"<h1>Cohort {escape(spec.name)}</h1>"
    yield _paragraph(f"{SERIES[spec.series].about} {DISCLAIMER} All spines are synthetic.")
    done = f"{len(records)} of {spec.size} spines, seed {spec.seed}"
    yield _paragraph(f"{done}; {len(targets)} targets.")
    undrawn = [r for r in records if "not drawn" in r]
    if undrawn:
        yield _paragraph(f"{len(undrawn)} spines had no room for their screws and were not drawn.")


def _shares(targets: Sequence[Target]) -> Iterator[str]:
    """Yield the tables of a cohort whose targets are tried by every way at once."""
    yield "<h2>Targets with a safe path</h2>"
    rows: list[tuple[Cell, ...]] = [
        ("targets with a safe path", share(targets), "72 targets, not told apart"),
        ("spines with a safe path to every target", spines(targets), "30/31 procedures"),
    ]
    yield _table("", ("", "here", "published series"), rows)
    yield _paragraph(SERIES_SAYS)
    for caption, key in _GROUPS:
        groups = [(name, share(group)) for name, group in grouped(targets, key)]
        yield _table(f"By {caption}", (caption, "with a safe path"), groups)
    yield _needles("By needle, straight", by_needle(targets, lambda a: a != ALONG))
    yield _needles("By needle, along the screw", by_needle(targets, lambda a: a == ALONG))
    best = [t for t in targets if t["outcome"] == FOUND]
    rows = [(name, str(len(group))) for name, group in grouped(best, _technique)]
    yield _table("Technique of the first path", ("technique", "targets"), rows)


def _technique(target: Target) -> str:
    return str(target["best"]["technique"]).replace("_", " ")


_GROUPS: tuple[tuple[str, Callable[[Target], str]], ...] = (
    ("region", lambda t: t["region"]),
    ("failure", lambda t: t["failure"]),
    ("level", lambda t: t["level"]),
)


def _ways(targets: Sequence[Target]) -> Iterator[str]:
    """Yield the tables of a cohort that counts ways apart."""
    yield "<h2>Levels with a safe path</h2>"
    for way, group in grouped(targets, lambda t: t["way"]):
        needles = by_needle(group, lambda _: True)
        yield _needles(way.capitalize(), needles)
        rows: list[tuple[Cell, ...]] = [
            (level, *(ends.safe for ends in by_needle(each, lambda _: True).values()))
            for level, each in grouped(group, lambda t: t["level"])
        ]
        yield _table(f"{way.capitalize()}, safe paths by level", ("level", *needles), rows)


def _needles(caption: str, needles: Mapping[str, Ends]) -> str:
    names = ("needle", "safe path", "proved to have none", "not decided", "closed by")
    rows = [
        (name, e.safe, e.closed, e.undecided, ", ".join(e.closed_by[:4]))
        for name, e in needles.items()
    ]
    return _table(caption, names, rows)


def _figures(targets: Sequence[Target]) -> Iterator[str]:
    best = [t["best"] for t in targets if t["best"]]
    yield "<h2>Margins, angles, proofs</h2>"
    rows: list[tuple[Cell, ...]] = [
        ("margin, mm", spread([b["margin_mm"] for b in best], 2)),
        ("length from skin to tip, mm", spread([b["length_mm"] for b in best])),
        ("angle to the bone's way from back to front, degrees",
         spread([b["obliquity_deg"] for b in best])),
        ("probability of a breach, freehand fluoroscopy",
         spread([b["breach_probability"] for b in best], 3)),
    ]  # fmt: skip
    yield _table("First paths: least / quartiles / largest", ("", ""), rows)
    margins = [b["margin_mm"] for b in best]
    risks = [-b["breach_probability"] for b in best]
    rows = [
        *((f"margin of {mm} mm or more", at_least(margins, mm)) for mm in (0.5, 1.0, 2.0)),
        *((f"breach in {risk:.0%} or less", at_least(risks, -risk)) for risk in (0.05, 0.2)),
    ]
    yield _table("First paths with room to spare", ("", "first paths"), rows)
    eyes = [b for b in best if b["bulls_eye"]]
    reached = Share(part=sum(b["bulls_eye_reachable"] for b in eyes), whole=len(eyes))
    plastic = sum(b["plastic_bend"] for b in best)
    yield _paragraph(f"Bull's-eye views that a floor-mounted C-arm reaches: {reached}.")
    yield _paragraph(f"First paths that bend the needle for good: {plastic}.")
    yield from _proofs(list(classes_of(targets)))


def _proofs(classes: Sequence[dict[str, Any]]) -> Iterator[str]:
    searched = [c for c in classes if is_searched(c)]
    rows: list[tuple[Cell, ...]] = []
    for approach, group in grouped(searched, lambda c: c["approach"].replace("_", " ")):
        safe = sum(map(is_safe, group))
        closed = sum(c["status"] == "infeasible" for c in group)
        gaps = [c["upper_bound_mm"] - c["best_margin_mm"] for c in group if _bounded(c)]
        ends = (safe, closed, len(group) - safe - closed)
        rows.append((approach, *map(str, ends), spread(gaps, 2)))
    yield _table(
        "Classes (approach, side, needle) and how their proofs ended",
        ("approach", "safe path", "proved closed", "not decided", "gap of the bounds, mm"), rows,
    )  # fmt: skip
    blocks = [(sort, str(count)) for sort, count in blocking(searched).items()]
    yield _table("What closes classes (one may be closed by several)", ("", "classes"), blocks)


def _bounded(one: dict[str, Any]) -> bool:
    both = (one["upper_bound_mm"], one["best_margin_mm"])
    return one["status"] == FOUND and None not in both


def _failures(targets: Sequence[Target]) -> Iterator[str]:
    lost = [t for t in targets if t["outcome"] != FOUND]
    yield f"<h2>Targets without a safe path ({len(lost)})</h2>"
    if not lost:
        yield _paragraph("None.")
    for target in lost:
        title = f"{target['target']}: {target['failure']}, {target['level']} {target['way']}"
        yield f"<details><summary>{escape(title)}: {escape(target['outcome'])}</summary>"
        yield _paragraph(target["explanation"])
        if target["classes"]:
            yield _table("", ("way", "what its certificates say"), blockers(target))
        yield "</details>"


def _times(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    drawing = [r["times_s"]["drawing"] for r in records if r["times_s"]]
    planning = [s for r in records for step, s in r["times_s"].items() if step != "drawing"]
    yield '<section id="times"><h2>Times</h2>'
    rows: list[tuple[Cell, ...]] = [
        ("drawing a spine, s", spread(drawing)), ("planning a target, s", spread(planning)),
        ("all work, s", f"{sum(drawing) + sum(planning):.0f}"),
    ]  # fmt: skip
    yield _table("Wall time: least / quartiles / largest", ("", ""), rows)
    yield "</section>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _table(caption: str, names: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>\n" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<tr>{head}</tr>\n{body}</table>"


def _cell(cell: Cell) -> str:
    if isinstance(cell, Share) and cell.whole:
        width = 100.0 * cell.part / cell.whole
        bar = f'<span class="bar"><i style="width:{width:.1f}%"></i></span>'
        return f"<td>{bar}{escape(str(cell))}</td>"
    return f"<td>{escape(str(cell))}</td>"
