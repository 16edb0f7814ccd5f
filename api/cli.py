"""The command line: ``trocar demo | plan | evaluate | check | import | split | serve ...``.

Exit status 0: done (a safe path, or an honest 'none'); 2: the input is wrong, with the reason on
standard error; 1: our fault. With ``--json`` standard output is JSON and nothing else.
"""

import ipaddress
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import uvicorn
from rich.console import Console

from api import DISCLAIMER, cli_audit, cli_cohort, cli_keys
from api.access import key_ring
from api.case_documents import case_document
from api.cases import load_case
from api.cli_files import (
    announce,
    made_folder,
    read_request,
    refusals,
    write_check,
    write_plan,
    write_sheet,
)
from api.cli_import import import_segmentation
from api.cli_node import node
from api.cli_server import plan_at
from api.cli_session import named_targets, session
from api.documents import dump, plan_document, trajectory_document
from api.exports import require_exportable, write_exports
from api.logs import log_to_standard_error
from api.progress import shown_progress
from api.proofs import checked_proof, planned_with_proof, print_report, report_document
from api.samples import DEMO_CASE, DEMO_TARGET, sample_case
from api.schemas import EvaluationDocument, PlanRequestDocument, checked
from api.settings import MIB, Settings
from api.splitting import split_case
from api.tables import print_case, print_plan, print_trajectory
from api.targets import SHORT_FORMS, position_from_text, target_from_short_form
from api.viewer_files import HOW_TO_BUILD, built_viewer
from phantom.bundle import write_bundle
from phantom.recipe import RECIPES, recipe_named
from planner.anatomy.describe import describe_case
from planner.case_io import save_case
from planner.errors import RequestError
from planner.planning import evaluate as measured
from planner.planning import plan as planned
from planner.prepared import PreparedCase

app = typer.Typer(
    name="trocar",
    help=f"Verified needle trajectories in instrumented spines. {DISCLAIMER}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_GRACE_S = 10  # for answers under way when the service is told to stop
_WIDE = 168  # columns of a table that is not printed to a terminal

CasePath = Annotated[
    Path, typer.Argument(metavar="CASE", help="A case: a folder with case.json, or one zipped.")
]
Target = Annotated[str | None, typer.Option("--target", help=f"What to reach: {SHORT_FORMS}.")]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", help=f"What to reach: {SHORT_FORMS}; repeat it for several needles."),
]
OutFolder = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Where to write files.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")]


@app.command()
@refusals()
def demo(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where to write the plan and pictures.")
    ] = Path("trocar-demo"),
) -> None:
    """Plan a bundled instrumented case; write the plan, its sheet, markups and pictures."""
    case_path = sample_case(DEMO_CASE)
    typer.echo(f"Planning {DEMO_TARGET} in the bundled case {DEMO_CASE}", err=True)
    plan(case_path, target=[DEMO_TARGET], out=out)


@app.command()
@refusals()
def plan(  # noqa: PLR0913  a command's options are its arguments
    case_path: CasePath,
    *,
    target: Targets = None,
    request: Annotated[
        Path | None, typer.Option("--request", metavar="FILE", help="A whole request as JSON.")
    ] = None,
    needle: Annotated[
        list[str] | None, typer.Option("--needle", help="A needle to try; may be repeated.")
    ] = None,
    approach: Annotated[
        list[str] | None,
        typer.Option(
            "--approach",
            help="transpedicular, parapedicular or extrapedicular; may be repeated.",
        ),
    ] = None,
    side: Annotated[
        list[str] | None, typer.Option("--side", help="left or right; may be repeated.")
    ] = None,
    max_trajectories: Annotated[
        int | None, typer.Option("--max-trajectories", metavar="N", help="How many, 1 to 50.")
    ] = None,
    out: OutFolder = None,
    proof: Annotated[
        Path | None, typer.Option("--proof", metavar="DIR", help="Where to write the proof.")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option("--server", metavar="URL", help="Who plans; a key is read from TROCAR_KEY."),
    ] = None,
    export: Annotated[
        bool,
        typer.Option("--export", help="With --out: also write exports/ for other programs."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Plan a target, or several in one session: safe trajectories, or a reasoned 'none'.

    Options given here go before the same in --request FILE. With --out, plan.json, sheet.pdf,
    markups.mrk.json, preview.png, scene.glb and scene.html are written there; with --proof, what
    verify-proof checks.
    """
    asked = read_request(request)
    given = {"needles": needle, "approaches": approach, "sides": side}
    asked.update({key: values for key, values in given.items() if values})
    if max_trajectories is not None:
        asked["max_trajectories"] = max_trajectories
    asked.update(named_targets(target or ()))
    if export:
        require_exportable(asked, out=out, server=server)
    if server is not None:
        plan_at(server, case_path, asked, out=out, proof=proof, as_json=as_json)
        return
    if "targets" in asked:
        session(case_path, asked, out=out, proof=proof, as_json=as_json)
        return
    _require_target(asked)
    document = checked(PlanRequestDocument, asked)
    in_force, notes = document.request(), []
    with shown_progress() as progress:
        progress("reading the case", 0.0)
        prepared = PreparedCase(load_case(case_path))
        if out is not None:  # before the search, not after it
            made_folder(out / "exports" if export else out)
        if proof is None:
            made = planned(prepared, in_force, progress=progress)
        else:
            made = planned_with_proof(prepared, document, proof, progress)
            notes = [f"wrote {proof}"]
        if out is not None:
            progress("drawing", 1.0)
            notes += write_plan(prepared, in_force, made, out)
            notes += write_sheet(prepared, in_force, made, out)
            notes += write_exports(prepared, in_force, made, out / "exports") if export else []
    if as_json:
        sys.stdout.write(dump(plan_document(made)))
    else:
        print_plan(_console(), made)
    announce(notes)


def _require_target(asked: Mapping[str, Any]) -> None:
    if "target" not in asked:
        raise RequestError(
            f"is required: give --target ({SHORT_FORMS}), or put one into --request FILE",
            field="target", code="missing",
        )  # fmt: skip


@app.command()
@refusals()
def verify_proof(
    case_path: CasePath,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A proof that plan has written.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Check a proof against a case, without searching; status 2 and the reasons if it fails."""
    with shown_progress() as progress:
        made = checked_proof(case_path, folder, progress)
    if as_json:
        sys.stdout.write(dump(report_document(made)))
    elif made.report.holds:
        print_report(_console(), made)
    if not made.report.holds:
        for failure in made.report.failures:
            typer.echo(f"trocar: the proof does not hold: {failure}", err=True)
        raise typer.Exit(2)


@app.command()
@refusals()
def evaluate(
    case_path: CasePath,
    *,
    needle: Annotated[str, typer.Option("--needle", help="A needle of the catalogue.")],
    entry: Annotated[
        str, typer.Option("--entry", metavar="X,Y,Z", help="Where it enters the skin, LPS mm.")
    ],
    tip: Annotated[str, typer.Option("--tip", metavar="X,Y,Z", help="Where it ends, LPS mm.")],
    target: Target = None,
    as_json: AsJson = False,
) -> None:
    """Measure a straight path that somebody drew, negative margins included."""
    line = {
        "type": "line",
        "start_mm": position_from_text(entry, field="entry"),
        "end_mm": position_from_text(tip, field="tip"),
    }
    asked: dict[str, Any] = {"path": [line], "needle": needle}
    if target is not None:
        asked["target"] = target_from_short_form(target)
    request = checked(EvaluationDocument, asked).request()
    with shown_progress() as progress:
        progress("reading the case", 0.0)
        case = load_case(case_path)
        progress("measuring", 0.5)
        trajectory = measured(case, request)
    if as_json:
        sys.stdout.write(dump(trajectory_document(trajectory)))
    else:
        print_trajectory(_console(), trajectory)


@app.command()
@refusals()
def check(case_path: CasePath, *, as_json: AsJson = False, out: OutFolder = None) -> None:
    """Read a case and report every problem found in it, and the derived anatomy."""
    with shown_progress() as progress:
        progress("reading the case", 0.0)
        case = load_case(case_path)
        progress("reading the anatomy", 0.5)
        anatomy = describe_case(case)
        notes = [] if out is None else write_check(case, anatomy, out)
    if as_json:
        sys.stdout.write(dump(case_document(case, anatomy)))
    else:
        print_case(_console(), case, anatomy)
    announce(notes)


@app.command()
@refusals()
def split(
    case_path: CasePath,
    *,
    bone: Annotated[str, typer.Option("--bone", help="The structure that holds several.")],
    levels: Annotated[str, typer.Option("--levels", help="Theirs, cranial first, such as L2,L3.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write the case.")],
) -> None:
    """Write a case in which vertebrae that are one mesh are apart, where that is safe."""
    made, said = split_case(load_case(case_path), bone, tuple(levels.split(",")))
    save_case(made, out)
    announce([said, f"wrote {out}"])


@app.command()
@refusals()
def serve(
    *,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port.")] = 8000,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="FILE", help="For TLS, as PEM.")
    ] = None,
    certificate_key: Annotated[
        Path | None, typer.Option("--certificate-key", metavar="FILE", help="Its key, as PEM.")
    ] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="TLS is a proxy's matter.")
    ] = False,
) -> None:
    """Run the HTTP service; /openapi.json describes it.

    On this machine alone, unless there are keys (see `trocar keys`) and TLS.
    """
    if not _is_loopback(host):
        _require_keys(host)
        if certificate is None and not behind_proxy:
            raise RequestError(
                f"{host[:100]!r} can be reached from other machines, where keys must not travel "
                "in the clear; give --certificate and --certificate-key, or --behind-proxy",
                field="certificate", code="no-tls",
            )  # fmt: skip
    log_to_standard_error()
    typer.echo(f"{DISCLAIMER} Listening on {host}, port {port}", err=True)
    if built_viewer() is None:
        typer.echo(HOW_TO_BUILD, err=True)
    uvicorn.run(
        "api.main:create_app", factory=True, host=host, port=port,
        log_level="warning", log_config=None, access_log=False, server_header=False,
        ws="websockets-sansio", ws_max_size=MIB, timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=certificate, ssl_keyfile=certificate_key,
    )  # fmt: skip


def _require_keys(host: str) -> None:
    """Refuse to be reachable from elsewhere where nobody would have to say who they are."""
    settings = Settings()
    ring = key_ring(settings)
    if not settings.takes_tokens and (ring is None or not ring.all()):
        raise RequestError(
            f"{host[:100]!r} can be reached from other machines, which needs authentication: set "
            "TROCAR_DATA_FOLDER and make a key (trocar keys add NAME), or use 127.0.0.1",
            field="host", code="not-loopback",
        )  # fmt: skip


app.add_typer(cli_keys.app, name="keys")
app.add_typer(cli_cohort.app, name="cohort")
app.add_typer(cli_audit.app, name="audit")
app.command()(node)
app.command("import")(import_segmentation)


@app.command()
@refusals()
def phantom(
    *,
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="NAME", help=f"One of {', '.join(RECIPES)}.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write the case.")],
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Settles all random deviations.")
    ] = None,
) -> None:
    """Write a synthetic instrumented spine as a case."""
    try:
        chosen = recipe_named(recipe, seed=seed)
    except ValueError as error:
        raise RequestError(str(error), field="recipe", code="unknown-recipe") from error
    built = write_bundle(chosen, out)
    typer.echo(f"wrote {out}: {len(built.case.structures)} structures", err=True)


def main() -> None:
    """Run the command line and exit with its status."""
    app()


def _console() -> Console:
    """Return standard output: as wide as its terminal, or wide enough where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
