"""Command line of the generator: ``python -m phantom --recipe lumbar-fracture --out DIR``."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from phantom.bundle import write_bundle
from phantom.recipe import RECIPES, Recipe, recipe_named


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


def main(argv: Sequence[str] | None = None) -> int:
    """Write the bundle that the arguments ask for; return the exit status (2: bad arguments)."""
    arguments = _parser().parse_args(argv)
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
