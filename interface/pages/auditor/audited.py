"""Access to the audit pages: for auditors only, and recorded."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask.typing import ResponseReturnValue

from interface.pages.shared import auth
from interface.pages.shared.auth import for_role
from interface.web.audit_queries import record_access, recording_access

P = ParamSpec("P")


def audited(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Shows the page to auditors, after the access log has recorded who asked for what."""

    @for_role("auditor")
    @wraps(view)
    def recording(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        record_access(auth.actor())
        return view(*args, **kwargs)

    return recording


def audited_with_result(
    view: Callable[P, ResponseReturnValue],
) -> Callable[P, ResponseReturnValue]:
    """Shows it like `audited`, but records the access after the view, with the result it adds."""

    @for_role("auditor")
    @wraps(view)
    def recording(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        with recording_access(auth.actor()):
            return view(*args, **kwargs)

    return recording
