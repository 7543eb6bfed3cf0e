"""The pages."""

from flask import Flask


def init_app(app: Flask) -> None:
    """Serve the pages."""
