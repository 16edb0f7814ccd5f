"""How much of its height a body has lost, and against what that was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from geometry.frames import angle_between
from planner.anatomy.model import Body, VertebraAnatomy
from planner.anatomy.morphometry import NORMS

SURE = 0.5  # confidence a neighbour needs to be measured against
INTACT = 0.85  # anterior over posterior height, both ways, of a neighbour that counts as whole


@dataclass(frozen=True, slots=True, kw_only=True)
class HeightLoss:
    """What is missing of a body's height.

    Attributes:
        anterior: Part of the expected anterior height that is missing, 0 to 1; gains count as 0.
        posterior: The same at the posterior wall.
        wedge_rad: Angle between the endplates, 0 where they are parallel.
        source: What the expected heights were taken from.
    """

    anterior: float
    posterior: float
    wedge_rad: float
    source: str


def height_loss(anatomy: VertebraAnatomy, neighbours: Sequence[VertebraAnatomy]) -> HeightLoss:
    """Compare a body's heights with those of whole neighbours, else with adult means.

    A neighbour's heights are carried over in the proportion of the adult means of the two levels
    (Genant's rule of thumb compares with the adjacent bodies). Without a neighbour, the posterior
    height is compared with the adult mean, and the anterior with whichever is larger of that mean
    and the own posterior height.

    Args:
        anatomy: The body in question.
        neighbours: Other vertebrae that may be measured against, any number.
    """
    body = anatomy.body
    norm = NORMS.get(anatomy.level)
    whole = [n for n in neighbours if norm and n.level in NORMS and _is_whole(n)]
    if norm is not None and whole:
        ratios = [norm.body_height_mm / NORMS[n.level].body_height_mm for n in whole]
        pairs = list(zip(ratios, whole, strict=True))
        anterior = sum(r * n.body.anterior_height_mm for r, n in pairs) / len(pairs)
        posterior = sum(r * n.body.posterior_height_mm for r, n in pairs) / len(pairs)
        source = " and ".join(n.level for n in whole)
    elif norm is not None:
        posterior = norm.body_height_mm
        anterior = max(posterior, body.posterior_height_mm)
        source = f"the adult mean at {anatomy.level}"
    else:
        posterior = anterior = body.posterior_height_mm
        source = "its own posterior wall"
    return HeightLoss(
        anterior=_missing(body.anterior_height_mm, anterior),
        posterior=_missing(body.posterior_height_mm, posterior),
        wedge_rad=endplate_angle(body),
        source=source,
    )


def endplate_angle(body: Body) -> float:
    """Return the angle between the endplates, radians."""
    return angle_between(body.superior_normal, -body.inferior_normal)


def _is_whole(anatomy: VertebraAnatomy) -> bool:
    ratio = anatomy.body.anterior_height_mm / max(anatomy.body.posterior_height_mm, 1e-9)
    return anatomy.confidence >= SURE and INTACT < ratio < 1.0 / INTACT


def _missing(found_mm: float, expected_mm: float) -> float:
    return max(0.0, 1.0 - found_mm / expected_mm)
