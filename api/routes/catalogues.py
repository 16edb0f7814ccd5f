"""What can be asked for by name, and what holds unless the request says otherwise."""

import math
from typing import Any

from fastapi import APIRouter

from planner.fluoroscopy.c_arm import CArm
from planner.fluoroscopy.catalogue import C_ARMS
from planner.needles.catalogue import CATALOGUE, DEFAULT_NEEDLES
from planner.needles.model import CurvedTip, Needle
from planner.policy import DEFAULTS
from planner.request import DEFAULT_C_ARM

router = APIRouter(prefix="/v1", tags=["catalogues"])


@router.get("/needles", summary="List the needles")
async def needles() -> dict[str, Any]:
    """List the needles that requests can name, and those that are tried by default."""
    return {
        "needles": [_needle(needle) for needle in CATALOGUE.values()],
        "default": list(DEFAULT_NEEDLES),
    }


@router.get("/c_arms", summary="List the C-arms")
async def c_arms() -> dict[str, Any]:
    """List the C-arms that requests can name, with their reach in console angles."""
    return {"c_arms": [_c_arm(c_arm) for c_arm in C_ARMS.values()], "default": DEFAULT_C_ARM}


@router.get("/policy", summary="Read the default margins")
async def policy() -> dict[str, Any]:
    """Return the default margins of every kind; ``hard_mm`` null is advisory."""
    return {
        "policy": {
            kind.value: {
                "hard_mm": rule.hard_mm,
                "preferred_mm": rule.preferred_mm,
                "source": rule.source,
            }
            for kind, rule in DEFAULTS.items()
        }
    }


def _needle(needle: Needle) -> dict[str, Any]:
    return {
        "name": needle.name,
        "gauge": needle.gauge,
        "outer_diameter_mm": needle.outer_diameter_mm,
        "length_mm": needle.length_mm,
        "usable_length_mm": needle.usable_length_mm,
        "tip": needle.tip,
        "curved": None if needle.curved is None else _curved_tip(needle.curved),
        "source": needle.source,
    }


def _curved_tip(tip: CurvedTip) -> dict[str, float]:
    return {
        "outer_diameter_mm": tip.outer_diameter_mm,
        "radius_mm": tip.radius_mm,
        "deployed_mm": tip.deployed_mm,
    }


def _c_arm(c_arm: CArm) -> dict[str, Any]:
    return {
        "name": c_arm.name,
        "description": c_arm.description,
        "primary_deg": [_degrees(limit) for limit in c_arm.primary_rad],
        "secondary_deg": [_degrees(limit) for limit in c_arm.secondary_rad],
        "source_to_isocentre_mm": c_arm.source_to_isocentre_mm,
        "source_to_detector_mm": c_arm.source_to_detector_mm,
        "source": c_arm.source,
        "mount": c_arm.mount,
        "lateral": None if c_arm.lateral is None else _c_arm(c_arm.lateral),
    }


def _degrees(angle_rad: float) -> float:
    return round(math.degrees(angle_rad), 2) + 0.0
