"""Command line of the generator: ``python -m phantom --recipe lumbar-fracture --out DIR``.

``python -m phantom morphometry [CASE ...]`` prints what the planner measures on drawn vertebrae,
or on those of given cases, beside the published means. ``python -m phantom screws`` prints how far
off the planner reads screws of every make, ``python -m phantom stability`` how far readings of
pedicles move when a mesh is turned, remeshed, roughened or operated on.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from phantom import screw_study, stability
from phantom.bundle import write_bundle
from phantom.population import morphometry_table, population, read_bones, sacra
from phantom.recipe import RECIPES, Recipe, recipe_named
from planner.anatomy.model import Unavailable
from planner.case_io import load_case


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m phantom", description="Write a synthetic instrumented spine as a bundle."
    )
    parser.add_argument("--list", action="store_true", help="list the recipes and stop")
    parser.add_argument("--recipe", default="lumbar-fracture", help="recipe to build")
    parser.add_argument("--seed", type=int, help="settles all random deviations")
    parser.add_argument("--scale", type=float, help="factor on lengths, 0.9 to 1.1")
    parser.add_argument("--resolution", type=float, metavar="MM", help="grid for the bones, mm")
    parser.add_argument("--out", type=Path, help="folder to write; default: the recipe's name")
    return parser


def _wanted(arguments: argparse.Namespace) -> Recipe:
    recipe = recipe_named(arguments.recipe, seed=arguments.seed)
    if arguments.scale is not None:
        recipe = replace(recipe, scale=arguments.scale)
    if arguments.resolution is not None:
        recipe = replace(recipe, resolution_mm=arguments.resolution)
    return recipe


def _print_morphometry(cases: list[Path]) -> int:
    """Print the table of measures; return 0 if all lie in the accepted range, else 1."""
    read = [found for case in cases for found in read_bones(load_case(case))]
    seeds, scales = (1, 2), (0.92, 1.08)
    read = read or [*population(seeds=seeds, scales=scales), *sacra(seeds=seeds, scales=scales)]
    table = morphometry_table(read)
    sys.stdout.write("| level | measure | published | ours | from, to | n | inside range |\n")
    sys.stdout.write("|---|---|---:|---:|---:|---:|---|\n")
    for row in table:
        sys.stdout.write(
            f"| {row.level} | {row.measure} | {row.published:.1f} | {row.ours:.1f} "
            f"| {row.least:.1f}, {row.most:.1f} | {row.count} | {'yes' if row.inside else 'NO'} |\n"
        )
    outside = sum(not row.inside for row in table)
    unread = sum(isinstance(found, Unavailable) for found in read)
    sys.stdout.write(
        f"\n{len(table)} measures, {outside} outside the accepted range; "
        f"{unread} of {len(read)} bones not read\n"
    )
    return 1 if outside or unread else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Write the bundle that the arguments ask for; return the exit status (2: bad arguments)."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["morphometry"]:
        return _print_morphometry([Path(case) for case in given[1:]])
    if given[:1] == ["screws"]:
        return screw_study.main(given[1:])
    if given[:1] == ["stability"]:
        return stability.main(given[1:])
    arguments = _parser().parse_args(given)
    if arguments.list:
        for recipe in RECIPES.values():
            sys.stdout.write(f"{recipe.name:20} {recipe.title}\n")
        return 0
    try:
        recipe = _wanted(arguments)
        folder = arguments.out or Path(recipe.name)
        built = write_bundle(recipe, folder)
    except ValueError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    sys.stdout.write(f"{folder}: {len(built.case.structures)} structures\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
