"""Keeps a rebuild from replacing the tree over the log by one over a log that was changed."""

from psycopg import Connection
from psycopg.rows import DictRow

from application.proofs.merkle import root_of
from application.proofs.verifier import Checkpoint
from projections.engine.projection import Projection
from projections.evidence.checkpoint_store import CheckpointDamaged, CheckpointStore
from projections.rebuild import jobs
from projections.rebuild.jobs import RebuildJob
from projections.rebuild.rebuild import SwitchCheck, SwitchRefused
from projections.views import transparency_log
from projections.views.transparency_log import tile_reader, tree_size


def refuse_changed_log(store: CheckpointStore, *, accept_unsigned: bool = False) -> SwitchCheck:
    """Returns a check that refuses a new tree which does not lead to the newest checkpoint.

    It also refuses one that differs from the live tree, as long as that leads to the checkpoint:
    then events that are not signed yet were changed. `accept_unsigned` lets such a tree pass, for
    an operator who knows that the tree was damaged, and not the log.
    """

    def check(conn: Connection[DictRow], projection: Projection, job: RebuildJob) -> None:
        if projection.name != transparency_log.NAME:
            return
        try:
            newest = store.newest()
        except CheckpointDamaged as error:
            raise SwitchRefused(str(error)) from error
        signed = newest.signed if newest else None
        with conn.transaction():
            jobs.enter(conn, job)
            new_leads = _leads_to(conn, signed)
        if not new_leads:
            raise SwitchRefused(
                "The log does not lead to the newest checkpoint, so its tree is not replaced:"
                " run `admitone audit verify`."
            )
        if job.differing and not accept_unsigned and _leads_to(conn, signed):
            raise SwitchRefused(
                "Events without a checkpoint are not what was recorded, so the tree over the log is"
                " not replaced: run `admitone audit verify`."
            )

    return check


def _leads_to(conn: Connection[DictRow], signed: Checkpoint | None) -> bool:
    if signed is None:
        return True
    try:
        is_long_enough = tree_size(conn) >= signed.size
        return is_long_enough and root_of(signed.size, tile_reader(conn)) == signed.root
    except ValueError:  # a tile is shorter than the tree
        return False
