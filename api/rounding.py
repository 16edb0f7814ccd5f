"""How many decimals numbers are written with, and the rounding."""

LENGTH_DECIMALS = 4
ANGLE_DECIMALS = 2
VOLUME_DECIMALS = 2
DIRECTION_DECIMALS = 6
SHARE_DECIMALS = 4


def rounded(value: float, decimals: int) -> float:
    """Return a number with so many decimals, and no negative zero."""
    return round(float(value), decimals) + 0.0
