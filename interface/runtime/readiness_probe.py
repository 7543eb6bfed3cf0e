"""Asks the service on this machine whether people can book now."""

import json
from http.client import HTTPConnection, HTTPException

from interface.settings import Settings

PATIENCE_SECONDS = 5.0


def why_not_ready(settings: Settings) -> str | None:
    """Returns None if the service is ready, else the reasons in sentences.

    Does not use urllib, which would go through a proxy that the environment names.
    """
    connection = HTTPConnection(settings.local_host, settings.port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        report = json.loads(response.read())
        if response.status == 200 and report["status"] == "ready":
            return None
        return " ".join(report["reasons"])
    except OSError as error:
        return f"{settings.local_url} does not answer: {error.strerror or error}."
    except (HTTPException, ValueError, LookupError, TypeError):
        return f"What answers at {settings.local_url} is not Admit One."
    finally:
        connection.close()
