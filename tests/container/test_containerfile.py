"""The steps that `make container` runs are all those of the Containerfile."""

from tests.container.__main__ import CONTAINERFILE
from tests.container.containerfile import NEED_NOTHING, stages
from tests.container.root import Root

RUN_HERE = {"RUN", "COPY", "ENV", "USER", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


def test_every_step_of_the_containerfile_is_known() -> None:
    text = CONTAINERFILE.read_text()
    found = stages(text)
    assert [stage.name for stage in found] == ["build", None]
    assert {step.instruction for stage in found for step in stage.steps} <= {
        *RUN_HERE,
        *NEED_NOTHING,
    }
    count = len([line for line in text.splitlines() if line and not line.startswith("#")])
    assert count == sum(1 + len(stage.steps) for stage in found)


def test_the_last_stage_says_how_it_runs() -> None:
    image = stages(CONTAINERFILE.read_text())[-1]
    assert image.command() == ["admitone", "serve"]
    assert image.health_command() == ["admitone", "health"]
    assert image.environment()["ADMITONE_DATA"] == "/data"
    assert image.last("USER") == "admitone"


def test_a_line_may_go_on_and_comments_are_left_out() -> None:
    (stage,) = stages("FROM debian:bookworm\n# a\nRUN one \\\n  && two\n")
    assert [" ".join(step.rest.split()) for step in stage.steps] == ["one && two"]


def test_commands_run_inside_as_the_user_of_the_image() -> None:
    root = Root(CONTAINERFILE.parent, {"A": "1"})
    root.user = "admitone"
    words = root.command("true")
    inside = words.index(str(CONTAINERFILE.parent))
    assert words[inside : inside + 4] == [str(CONTAINERFILE.parent), "admitone", "env", "-i"]
    assert "A=1" in words[inside:]
    assert words[-1] == "true"
