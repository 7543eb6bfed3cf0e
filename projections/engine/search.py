"""Searching for text that a person typed."""


def pattern(text: str | None) -> str | None:
    """The ILIKE pattern that finds `text` anywhere, whatever signs are in it."""
    if not text:
        return None
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
