"""Help, by the person who needs it. Anybody may read it."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

blueprint = Blueprint("help_pages", __name__)


@blueprint.get("/help")
def show() -> ResponseReturnValue:
    """Shows questions and answers for invitees, owners, auditors, operators and programmers."""
    return render_template("help/index.html")
