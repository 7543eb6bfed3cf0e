"""A running identity provider (oidc-provider-mock), and services that use it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from interface.bootstrap import Services, build
from interface.settings import Settings
from tests.interface.pages.identity_provider.provider_pages import ADA
from tests.support.clock import Clock
from tests.support.examples import NOW
from tests.support.identity_provider import Provider, running_provider, settings_of, signed
from tests.support.patience import give_counts_a_minute


@pytest.fixture(scope="package")
def running() -> Iterator[Provider]:
    """Shared by the tests of this folder: making its key takes longest."""
    with running_provider(lambda: NOW) as provider:
        yield provider


@pytest.fixture
def provider(running: Provider, clock: Clock) -> Provider:
    """Knows Ada, whose address it has verified."""
    running.now, running.sign = clock, signed
    running.know("ada", email=ADA, email_verified=True, name="Ada Lovelace")
    running.asked.clear()
    return running


@pytest.fixture
def settings(provider: Provider, tmp_path: Path) -> Settings:
    return settings_of(provider, tmp_path, public_url="https://book.example.org")


@pytest.fixture
def start(conninfo: str, clock: Clock, settings: Settings) -> Iterator[Callable[..., Services]]:
    """Builds services with these settings changed."""
    built: list[Services] = []

    def start(**changes: Any) -> Services:
        built.append(build(replace(settings, **changes), conninfo, now=clock))
        return built[-1]

    yield start
    for services in built:
        services.close()


@pytest.fixture(autouse=True)
def _counts_wait_for_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    give_counts_a_minute(monkeypatch)


@pytest.fixture
def services(start: Callable[..., Services]) -> Services:
    return start()


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()
