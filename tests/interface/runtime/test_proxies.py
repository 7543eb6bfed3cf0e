"""The configurations of the operator's manual, each in front of a running service."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.examples import calendar_json
from tests.support.service import OWNER, Service, free_port, running_service
from tests.support.waiting import wait_until

MANUAL = Path(__file__).parents[3] / "interface/help/operator.md"
HOST = "book.example.org"
PATIENCE_SECONDS = 30.0  # a web server by itself waits for a minute


def from_manual(language: str, changes: Mapping[str, str]) -> str:
    """The configuration that the manual shows in this language, with these texts replaced."""
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", MANUAL.read_text(), re.S | re.M)
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return str(text)


@dataclass
class Ports:
    """Where a web server listens, and what it is in front of."""

    http: int
    https: int
    service: int


@dataclass
class Certificate:
    """Files of a certificate for the public host: its own, its key's, and one with both."""

    chain: Path
    key: Path
    both: Path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate that is signed with its own key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    files = Certificate(folder / "chain.pem", folder / "key.pem", folder / "both.pem")
    files.chain.write_bytes(chain)
    files.key.write_bytes(private)
    files.both.write_bytes(chain + private)
    return files


def caddy(folder: Path, ports: Ports, certificate: Certificate) -> list[str]:
    text = from_manual(
        "caddyfile",
        {
            "10s": "1s",
            "{\n    servers": f"{{\n    admin off\n    http_port {ports.http}\n    servers",
            f"{HOST} {{": (
                f"https://{HOST}:{ports.https} {{\n    tls {certificate.chain} {certificate.key}"
            ),
            "127.0.0.1:8000": f"127.0.0.1:{ports.service}",
        },
    )
    (folder / "Caddyfile").write_text(text)
    return ["run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def nginx(folder: Path, ports: Ports, certificate: Certificate) -> list[str]:
    text = from_manual(
        "nginx",
        {
            "10s": "1s",
            "listen 80": f"listen 127.0.0.1:{ports.http}",
            "listen 443": f"listen 127.0.0.1:{ports.https}",
            f"/etc/ssl/{HOST}.pem": str(certificate.chain),
            f"/etc/ssl/{HOST}.key": str(certificate.key),
            "127.0.0.1:8000": f"127.0.0.1:{ports.service}",
        },
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;\n" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{places}{text}}}\n"
    )
    return ["-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]


def haproxy(folder: Path, ports: Ports, certificate: Certificate) -> list[str]:
    text = from_manual(
        "haproxy",
        {
            "10s": "1s",
            "bind :80": f"bind 127.0.0.1:{ports.http}",
            "bind :443": f"bind 127.0.0.1:{ports.https}",
            f"/etc/ssl/{HOST}.pem": str(certificate.both),
            "127.0.0.1:8000": f"127.0.0.1:{ports.service}",
        },
    )
    (folder / "haproxy.cfg").write_text(text)
    return ["-db", "-f", str(folder / "haproxy.cfg")]


PROGRAMS: dict[str, Callable[[Path, Ports, Certificate], list[str]]] = {
    "caddy": caddy,
    "nginx": nginx,
    "haproxy": haproxy,
}
# How nginx removes the path of the public address from what it passes on, or keeps it.
PATHS = {
    "removed": "location /book/ {{\n proxy_pass {}/;",
    "kept": "location /book {{\n proxy_pass {};",
}


def below_a_path(folder: Path, ports: Ports, location: str) -> None:
    """Changes the configuration of nginx to pass on only what is below /book."""
    file = folder / "nginx.conf"
    service = f"http://127.0.0.1:{ports.service}"
    root, text = f"location / {{\n        proxy_pass {service};", file.read_text()
    assert root in text
    file.write_text(text.replace(root, location.format(service)))


@contextmanager
def in_front(
    name: str, folder: Path, service: int, certificate: Certificate, *, path: str = ""
) -> Iterator[Ports]:
    """The web server of this name, in front of what listens on the port `service`.

    `path` is one of `PATHS`, for nginx.
    """
    program = shutil.which(name, path=os.environ["PATH"] + os.pathsep + "/usr/sbin")
    if program is None:
        pytest.skip(f"{name} is not installed")
    ports = Ports(free_port(), free_port(), service)
    command = [program, *PROGRAMS[name](folder, ports, certificate)]
    if path:
        below_a_path(folder, ports, PATHS[path])
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with open(folder / "log", "w+") as log:
        process = subprocess.Popen(command, env=os.environ | home, stdout=log, stderr=log)
        try:
            wait_until(lambda: is_up(ports) or process.poll() is not None)
            assert process.poll() is None, (folder / "log").read_text()
            yield ports
        finally:
            process.terminate()
            process.wait(60)


def is_up(ports: Ports) -> bool:
    """Returns True once both ports are open and the safe one has its certificate."""
    try:
        socket.create_connection(("127.0.0.1", ports.http)).close()
        connection(ports).close()
    except OSError:
        return False
    return True


def connection(ports: Ports) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", ports.https), timeout=PATIENCE_SECONDS)
    return context.wrap_socket(plain, server_hostname=HOST)


def ask(
    ports: Ports, method: str, path: str, body: str | None = None, **headers: str
) -> tuple[HTTPResponse, str]:
    """What people are answered at the public address."""
    with closing(HTTPConnection(HOST, timeout=PATIENCE_SECONDS)) as client:
        client.sock = connection(ports)
        client.request(method, path, body, headers)
        response = client.getresponse()
        return response, response.read().decode()


@pytest.fixture(scope="module")
def public_service(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service whose operator has set its public address."""
    data = tmp_path_factory.mktemp("public")
    url = f"https://{HOST}"
    with running_service(data, new_database(), ADMITONE_PUBLIC_URL=url) as running:
        yield running


@pytest.fixture(scope="module", params=PROGRAMS)
def web_server(
    request: pytest.FixtureRequest,
    public_service: Service,
    certificate: Certificate,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ports]:
    """Each web server of the manual in front of the service."""
    folder = tmp_path_factory.mktemp(request.param)
    with in_front(request.param, folder, public_service.port, certificate) as ports:
        yield ports


def test_people_sign_in_and_book_through_it(web_server: Ports, public_service: Service) -> None:
    with public_service.services() as services:
        url = services.sign_in_url(services.accounts.by_email(OWNER))
    assert url.startswith(f"https://{HOST}/sign-in/")
    path = url.removeprefix(f"https://{HOST}")
    response, page = ask(web_server, "GET", path)
    assert (response.status, "Welcome" in page) == (200, True)
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{HOST}"}
    response, _ = ask(web_server, "POST", path, urlencode({"form_token": ""}), **form)
    assert response.status == 303
    assert str(response.headers["Set-Cookie"]).startswith("__Host-admitone=")
    program = {"Authorization": f"Bearer {public_service.key}", "Content-Type": "application/json"}
    calls = "/api/v1/calendars"
    _, created = ask(web_server, "POST", calls, json.dumps(calendar_json()), **program)
    calendar = json.loads(created)["id"]
    _, issued = ask(web_server, "POST", f"{calls}/{calendar}/links", "{}", **program)
    url = json.loads(issued)["url"]
    assert url.startswith(f"https://{HOST}/b/")
    response, _ = ask(web_server, "GET", url.removeprefix(f"https://{HOST}"))
    assert response.status == 200


def test_it_passes_on_what_is_compressed_and_hides_the_metrics(web_server: Ports) -> None:
    gzip = {"Accept-Encoding": "gzip"}
    response, _ = ask(web_server, "GET", "/metrics")
    assert response.status == 404
    response, _ = ask(web_server, "GET", "/", **gzip)
    assert (response.status, response.headers["Content-Encoding"]) == (200, None)
    with closing(HTTPConnection(HOST, timeout=PATIENCE_SECONDS)) as client:
        client.sock = connection(web_server)
        client.request("GET", "/static/app.css", headers=gzip)
        response = client.getresponse()
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Vary"] == "Accept-Encoding"
        assert response.read(2) == b"\x1f\x8b"


def test_people_at_the_plain_address_are_sent_to_the_safe_one(web_server: Ports) -> None:
    with closing(HTTPConnection("127.0.0.1", web_server.http, timeout=PATIENCE_SECONDS)) as client:
        client.request("GET", "/links?status=active", headers={"Host": HOST})
        response = client.getresponse()
        assert response.status in (301, 302, 308)
        location = str(response.headers["Location"]).replace(f":{web_server.https}", "")
        assert location == f"https://{HOST}/links?status=active"


def test_unfinished_requests_do_not_stay(web_server: Ports, public_service: Service) -> None:
    waiting = [connection(web_server) for _ in range(16)]
    for number, each in enumerate(waiting):
        start = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 1000\r\n"
        each.sendall((start if number % 2 else f"{start}\r\na").encode())
    began = monotonic()
    for each in waiting:
        with closing(each):
            while each.recv(1000):  # perhaps it says why before it closes
                pass
    assert monotonic() - began < PATIENCE_SECONDS
    assert public_service.call("GET", "/healthz").status_code == 200


@pytest.fixture(scope="module")
def service_with_a_path(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service that shares its public host with others."""
    data = tmp_path_factory.mktemp("path")
    url = f"HTTPS://{HOST.upper()}:443/book/"
    with running_service(data, new_database(), ADMITONE_PUBLIC_URL=url) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_a_public_path_may_be_removed_on_the_way_or_kept(
    path: str, service_with_a_path: Service, certificate: Certificate, tmp_path: Path
) -> None:
    service = service_with_a_path
    with service.services() as services:
        url = services.sign_in_url(services.accounts.by_email(OWNER))
    assert url.startswith(f"https://{HOST}/book/sign-in/")
    with in_front("nginx", tmp_path, service.port, certificate, path=path) as ports:
        link = url.removeprefix(f"https://{HOST}")
        _, page = ask(ports, "GET", link)
        assets = re.findall(r'(?:href|src)="(/[^"]+/static/[^"]+)"', page)
        assert len(assets) == page.count("/static/")
        assert {ask(ports, "GET", asset)[0].status for asset in assets} == {200}
        response, _ = ask(ports, "POST", link, "", Origin=f"https://{HOST}")
        assert str(response.headers["Location"]).startswith("/book/")
        cookie = str(response.headers["Set-Cookie"])
        assert "Path=/book" in cookie.split("; ")
        response, page = ask(ports, "GET", "/book/settings/access", Cookie=cookie.partition(";")[0])
        assert (response.status, "owner@localhost" in page) == (200, True)


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers that arrived."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps([[name.lower(), value] for name, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that shows what a web server passes on."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_says_who_asks_whatever_the_client_itself_says(
    name: str, echo: int, certificate: Certificate, tmp_path: Path
) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
    with in_front(name, tmp_path, echo, certificate) as ports:
        response, body = ask(ports, "GET", "/", **forged)
    assert response.status == 200
    arrived = [(header, value) for header, value in json.loads(body)]
    expected = {"host": HOST, "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "https"}
    assert sorted(pair for pair in arrived if pair[0] in expected) == sorted(expected.items())


def test_the_health_command_needs_no_public_address(public_service: Service) -> None:
    assert public_service.command("health").stdout == "ready\n"
    assert public_service.call("GET", "/").status_code == 400
