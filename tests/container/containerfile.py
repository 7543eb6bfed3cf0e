"""Reads a Containerfile: its stages, and the steps of each."""

import json
import shlex
from dataclasses import dataclass, field
from typing import NamedTuple

NEED_NOTHING = ("VOLUME", "EXPOSE", "STOPSIGNAL")
"""They say how an engine runs the image, and change nothing in it."""


class Step(NamedTuple):
    """An instruction, in upper case, and the rest of its line."""

    instruction: str
    rest: str


@dataclass
class Stage:
    """What begins with FROM."""

    base: str
    name: str | None
    steps: list[Step] = field(default_factory=list)

    def last(self, instruction: str) -> str:
        """Returns the rest of the last step of a kind. Raises `LookupError`."""
        return [step.rest for step in self.steps if step.instruction == instruction][-1]

    def command(self) -> list[str]:
        """Returns what the container runs."""
        words: list[str] = json.loads(self.last("ENTRYPOINT")) + json.loads(self.last("CMD"))
        return words

    def health_command(self) -> list[str]:
        """Returns what says whether it is healthy."""
        words: list[str] = json.loads(self.last("HEALTHCHECK").partition(" CMD ")[2])
        return words

    def environment(self) -> dict[str, str]:
        """Returns the variables that it sets."""
        lines = [step.rest for step in self.steps if step.instruction == "ENV"]
        pairs = [word.partition("=") for line in lines for word in shlex.split(line)]
        return {name: value for name, _, value in pairs}


def stages(text: str) -> list[Stage]:
    """Returns the stages of a Containerfile. A line that ends in a backslash goes on."""
    found: list[Stage] = []
    lines = text.replace("\\\n", " ").splitlines()
    for line in filter(None, map(str.strip, lines)):
        if line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word.upper() == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base, name or None))
        else:
            found[-1].steps.append(Step(word.upper(), rest))
    return found
