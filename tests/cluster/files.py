"""The files that the programs of a cluster read.

Those of Patroni and HAProxy are made from the ones of `interface/deployment/cluster`.
"""

from pathlib import Path
from typing import Any

import yaml

from tests.cluster.node import (
    BALANCED,
    DATABASE,
    ETCD,
    NODES,
    PASSWORD,
    POOLED,
    POSTGRES,
    REST,
    Node,
)

TEMPLATES = Path(__file__).parents[2] / "interface" / "deployment" / "cluster"
BUILTIN_LOCALES = 17
"""The version of PostgreSQL that brought the template's `locale-provider`."""


def of_patroni(
    node: Node, network: str, programs: Path, version: int, agreed: dict[str, Any]
) -> str:
    """Returns the template with the addresses and folders of a node.

    `programs` is PostgreSQL's folder, `version` its major version. `agreed` is what differs from
    the template in the configuration that all nodes share.
    """
    text = (TEMPLATES / "patroni.yml").read_text()
    text = text.replace("10.0.0.0/24", "127.0.0.0/8").replace("10.0.0.", f"{network}.")
    # The PostgreSQL of the wheel has no TLS, and nothing leaves this machine.
    text = text.replace("hostssl", "host").replace("local all postgres peer", "local all all trust")
    filled: dict[str, Any] = yaml.safe_load(text)
    filled["name"] = node.name
    filled["restapi"] = {
        "listen": f"{node.inside}:{REST}",
        "connect_address": f"{node.outside}:{REST}",
    }
    hosts = ",".join(f"{node.inside}:{ETCD + place}" for place in range(len(NODES)))
    filled["etcd3"] = {"hosts": hosts, "use_proxies": True}
    filled["postgresql"] |= {
        "listen": f"{node.inside}:{POSTGRES}",
        "connect_address": f"{node.outside}:{POSTGRES}",
        "data_dir": str(node.folder / "data"),
        "bin_dir": str(programs),
        "pgpass": str(node.folder / "pgpass"),
    }
    filled["postgresql"]["parameters"] = {
        "unix_socket_directories": "",
        "shared_buffers": "32MB",
        "wal_keep_size": "128MB",
        "dynamic_shared_memory_type": "mmap",
    }
    filled["bootstrap"]["dcs"] |= agreed
    if version < BUILTIN_LOCALES:
        filled["bootstrap"]["initdb"] = [
            {"encoding": "UTF8"},
            {"locale": "C.UTF-8"},
            "data-checksums",
        ]
    return yaml.safe_dump(filled)


def ways_through_the_wire(node: Node, network: str) -> list[tuple[str, str]]:
    """Returns where the wire of a node listens, and where each of these ways leads."""
    return [
        (f"{node.outside}:{POSTGRES}", f"{node.inside}:{POSTGRES}"),
        (f"{node.outside}:{REST}", f"{node.inside}:{REST}"),
        *(
            (f"{node.inside}:{ETCD + place}", f"{network}.{30 + number}:{ETCD}")
            for place, number in enumerate(NODES)
        ),
    ]


def of_a_wire(node: Node, network: str) -> str:
    """Returns the HAProxy file of the wire of a node."""
    lines = ["global", "maxconn 2000", "defaults", "mode tcp", "timeout connect 3s"]
    lines += ["timeout client 1h", "timeout server 1h"]
    for number, (here, there) in enumerate(ways_through_the_wire(node, network)):
        lines += [f"listen way{number}", f"bind {here}", f"server there {there}"]
    return "\n".join([*lines, ""])


def of_a_balancer(host: str, network: str) -> str:
    """Returns the template with the addresses of a host of the service."""
    text = (TEMPLATES / "haproxy.cfg").read_text()
    return text.replace("127.0.0.1:5000", f"{host}:{BALANCED}").replace("10.0.0.", f"{network}.")


def of_pgbouncer(host: str) -> str:
    """Returns what PgBouncer reads on a host of the service, before the balancer there."""
    settings = {
        "listen_addr": host,
        "listen_port": POOLED,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "session",
        "max_client_conn": 500,
        "default_pool_size": 150,
        # After a failed connection it would refuse everybody for 15 s.
        "server_login_retry": 1,
        "server_connect_timeout": 3,
    }
    lines = [
        "[databases]",
        f"{DATABASE} = host={host} port={BALANCED} user={DATABASE} password={PASSWORD}",
        "[pgbouncer]",
        *(f"{name} = {value}" for name, value in settings.items()),
    ]
    return "\n".join([*lines, ""])
