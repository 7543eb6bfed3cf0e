"""The pages for refusals of the framework."""

import pytest
from flask import Flask


@pytest.mark.parametrize(("path", "allowed"), [("/help", "GET, HEAD"), ("/sign-out", "POST")])
def test_a_page_about_a_wrong_method_names_those_allowed(
    path: str, allowed: str, app: Flask
) -> None:
    answer = app.test_client().delete(path)
    assert answer.status_code == 405
    assert sorted(answer.headers["Allow"].split(", ")) == sorted([*allowed.split(", "), "OPTIONS"])
    assert "That isn&#39;t possible." in answer.text
