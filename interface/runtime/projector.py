"""The projector process: keeps views and reactions current, and rebuilds, signs and patrols."""

from application.eventstore.mapper import JSONMapper
from application.key_fingerprints import KeyKind
from interface import key_store, patroni
from interface.bootstrap import utc_now
from interface.database_roles import DatabaseRole
from interface.observability import logs
from interface.runtime import command_database, rebuild_launcher
from interface.runtime.checkpoint_loop import sign_periodically
from interface.runtime.parent_watchdog import end_with_parent, stop_on_signals
from interface.runtime.patrol_loop import patrol_periodically
from interface.runtime.primary_loop import following
from interface.settings import Settings
from projections.catalogue import FOLLOWERS
from projections.engine.runner import Runner


def run(settings: Settings) -> None:
    """Applies new events to all views and reactions until SIGINT or SIGTERM.

    Stands by while another projector does the same. Raises `AdmitOneError` when the database
    can't be used.
    """
    logs.configure(settings.log)
    end_with_parent()
    stop = stop_on_signals()
    with command_database.database_of_process(
        settings, DatabaseRole.PROJECTOR, KeyKind.AUDIT, stop=stop
    ) as conninfo:
        hosts = patroni.hosts(conninfo, settings.patroni_urls)
        runner = Runner(hosts, FOLLOWERS, JSONMapper())
        signer = key_store.checkpoint_signer(settings)
        store = key_store.checkpoint_store(settings)
        with (
            rebuild_launcher.on_request(conninfo, hosts, settings, runner.is_at_work, stop),
            following(patroni.finder(settings.patroni_urls), [hosts], stop),
            sign_periodically(hosts, signer, store, runner.is_at_work, stop, now=utc_now),
            patrol_periodically(hosts, store, settings.patrol_hours, runner.is_at_work, stop),
        ):
            runner.run(stop)
