"""A cohort's records as Parquet: one row for each target, class searched, and time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

_TARGETS = pa.schema(
    [
        *((name, pa.string()) for name in ("spine", "sex")),
        *((name, pa.float64()) for name in ("scale", "pedicle_width")),
        ("scoliotic", pa.bool_()),
        ("kyphosis_deg", pa.float64()),
        *(
            (name, pa.string())
            for name in ("target", "level", "region", "failure", "way", "outcome", "explanation")
        ),
        *((name, pa.string()) for name in ("approach", "side", "technique", "needle")),
        *((name, pa.float64()) for name in ("margin_mm", "length_mm", "obliquity_deg")),
        *((name, pa.float64()) for name in ("breach_probability",)),
        *((name, pa.string()) for name in ("limiting_structure", "bulls_eye")),
        *((f"bulls_eye_{axis}_deg", pa.float64()) for axis in ("primary", "secondary")),
        *((name, pa.bool_()) for name in ("bulls_eye_reachable", "plastic_bend")),
    ]
)
_WORDS = pa.list_(pa.string())
_CLASSES = pa.schema(
    [
        *((name, pa.string()) for name in ("target", "approach", "side", "needle", "status")),
        *((name, pa.float64()) for name in ("best_margin_mm", "upper_bound_mm", "tolerance_mm")),
        ("boxes", pa.int64()),
        *((name, _WORDS) for name in ("limited_by", "blocked_by", "would_open")),
        ("statement", pa.string()),
    ]
)
_TIMES = pa.schema([("spine", pa.string()), ("step", pa.string()), ("seconds", pa.float64())])


def write_tables(records: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """Write ``targets.parquet``, ``classes.parquet`` and ``times.parquet``.

    Only the last one differs from one run to the next.
    """
    targets = [(record, target) for record in records for target in record["targets"]]
    rows = {
        "targets": (_TARGETS, [{**r, **t, **(t["best"] or {})} for r, t in targets]),
        "classes": (_CLASSES, [{**t, **c} for _, t in targets for c in t["classes"]]),
        "times": (
            _TIMES,
            [
                {"spine": r["spine"], "step": step, "seconds": seconds}
                for r in records
                for step, seconds in r["times_s"].items()
            ],
        ),
    }
    written = []
    for name, (schema, found) in rows.items():
        path = folder / f"{name}.parquet"
        parquet.write_table(pa.Table.from_pylist(found, schema=schema), path)
        written.append(path)
    return written
