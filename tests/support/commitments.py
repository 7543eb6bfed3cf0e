"""Commitments to personal data, as an auditor computes them with nothing of ours."""

import hashlib
import json
from typing import Any


def recomputed(row: dict[str, Any]) -> str:
    """Returns the commitment to a row of personal data."""
    text = json.dumps(row["data"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(bytes(row["salt"]) + text.encode()).hexdigest()
