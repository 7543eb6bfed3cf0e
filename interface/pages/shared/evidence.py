"""What the service found wrong with its evidence, for the pages of auditors and operators."""

from interface.web.request_context import services
from projections.evidence import evidence_checks
from projections.evidence.evidence_checks import EvidenceCheck


def evidence_faults() -> list[EvidenceCheck]:
    """Returns the checks that have found something wrong."""
    return evidence_checks.faults(services().database)
