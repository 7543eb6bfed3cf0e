"""Starting the rebuilds that were requested."""

import logging

import pytest

from interface.runtime.rebuild_launcher import Rebuilds

TOO_LONG = {"TOO_LONG": "x" * 4_000_000}  # no process is given so large an environment


def test_a_rebuild_that_can_not_be_started_says_why_and_is_tried_again_only_after_a_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rebuilds = Rebuilds(TOO_LONG)

    with caplog.at_level(logging.ERROR):
        rebuilds.start(["link-list"])
        rebuilds.start(["link-list"])

    [said] = caplog.messages
    assert said.startswith("can't start to rebuild link-list: ")
