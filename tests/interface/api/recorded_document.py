"""`python -m tests.interface.api.recorded_document`: records the OpenAPI document as it is now.

Each path and each part is recorded by a hash of its exact bytes, so a test can name what differs.
"""

import hashlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask import json

from interface.bootstrap import build
from interface.settings import Settings
from interface.wsgi import create_app
from tests.support.examples import NOW, SECRET

RECORD = Path(__file__).with_name("recorded_document.txt")


def lines_of(document: dict[str, Any]) -> list[str]:
    """Returns a line for each path and each part of the document, in their order."""
    sections = {
        "paths": document["paths"],
        "webhooks": document["webhooks"],
        **{f"components/{name}": parts for name, parts in document["components"].items()},
    }
    return [
        f"{_hash(part)} {section} {name}"
        for section, parts in sections.items()
        for name, part in parts.items()
    ]


def _hash(part: Any) -> str:
    return hashlib.sha256(json.dumps(part, sort_keys=False).encode()).hexdigest()[:16]


def main() -> None:
    """Records the document. The database that it names is never asked."""
    with TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), secret_keys=(SECRET,))
        services = build(settings, "host=/nowhere", now=lambda: NOW)
        answer = create_app(services).test_client().get("/api/openapi.json")
        services.close()
    RECORD.write_text("\n".join([*lines_of(json.loads(answer.data)), ""]))
    sys.stdout.write(f"{RECORD}\n")


if __name__ == "__main__":
    main()
