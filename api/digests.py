"""One spelling of a JSON value, so that equal values have equal digests."""

import hashlib
import json


def canonical_digest(value: object) -> str:
    """Return the SHA-256, hex, of the value's canonical JSON: sorted keys, no spaces."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()
