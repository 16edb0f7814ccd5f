"""Progress of long work, on standard error so that standard output stays the answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

Report = Callable[[str, float], None]


@contextmanager
def shown_progress() -> Iterator[Report]:
    """Yield a function that takes (stage, fraction done) and shows it.

    On a terminal it is a bar; elsewhere one line per stage, so that logs show that it lives.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _stage_lines(console)
        return
    with Progress(
        TextColumn("{task.description:>12}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("start", total=1.0)

        def report(stage: str, fraction: float) -> None:
            bar.update(task, description=stage, completed=fraction)

        yield report


def _stage_lines(console: Console) -> Report:
    said: set[str] = set()

    def report(stage: str, fraction: float) -> None:  # noqa: ARG001  the same call as for a bar
        if stage not in said:
            said.add(stage)
            console.print(f"trocar: {stage} ...", markup=False, highlight=False)

    return report
