"""Addresses as QR codes, which a phone's camera opens."""

from io import BytesIO

import segno
from flask import Response

_QUIET_MODULES = 3  # around the code; the card that it lies on adds to that


def qr_code(address: str) -> Response:
    """Returns an image of the address as a response: dark on light, for both themes."""
    image = BytesIO()
    segno.make_qr(address, error="m").save(
        image,
        kind="svg",
        border=_QUIET_MODULES,
        dark="#2a2622",
        light="#fff",
        omitsize=True,
        xmldecl=False,
        svgns=True,
    )
    return Response(image.getvalue(), content_type="image/svg+xml; charset=utf-8")
