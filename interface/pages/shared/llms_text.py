"""The text for assistants that come to this address: https://llmstxt.org."""

from flask import Blueprint, Response, render_template, url_for

blueprint = Blueprint("llms_text", __name__)


@blueprint.get("/llms.txt")
def show() -> Response:
    """Says what a booking link is, and how a program uses one."""
    text = render_template("llms.txt", document=url_for("api-docs.openapi_json"))
    return Response(text, content_type="text/plain; charset=utf-8")
