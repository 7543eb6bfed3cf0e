"""Reads the text of /metrics like Prometheus."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]


def samples(text: str) -> dict[Sample, float]:
    """Returns every value by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def values(text: str, name: str, label: str) -> dict[str, float]:
    """Returns the values of a metric by one of its labels, without those that are zero."""
    return {
        dict(labels)[label]: value
        for (found, labels), value in samples(text).items()
        if found == name and value
    }


def value(text: str, name: str, **labels: str) -> float:
    """Returns one value."""
    return samples(text)[name, frozenset(labels.items())]


def grown(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Returns by how much each counter has grown, without those that have not."""
    return {
        name: count - before.get(name, 0)
        for name, count in after.items()
        if count != before.get(name, 0)
    }
