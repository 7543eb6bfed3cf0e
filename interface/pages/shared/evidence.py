"""The faults in log, personal data and views that the service last found, for pages that warn."""

from interface.web.request_context import services
from projections.evidence import evidence_checks
from projections.evidence.evidence_checks import EvidenceCheck


def evidence_faults() -> list[EvidenceCheck]:
    """Returns the checks that have found something wrong."""
    return evidence_checks.faults(services().database)
