"""The deliberate faults: each changes one place of the code that keeps a promise.

`make mutants` plants them one by one and demands that the tests named with each find it.
"""

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent


class Mutant(NamedTuple):
    """A fault: what is wrong with the service then, and the text that makes it so.

    `before` stands once in `file`. `tests` are those in which at least one has to fail.
    """

    fault: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    def planted(self) -> str:
        """Returns the file with the fault. Raises `LookupError` unless its place is found once."""
        text = (ROOT / self.file).read_text()
        if text.count(self.before) != 1:
            raise LookupError(f"{self.file} has {text.count(self.before)} times: {self.before}")
        return text.replace(self.before, self.after)


def _in(file: str, *tests: str) -> "_Faults":
    return _Faults(file, tests)


class _Faults(NamedTuple):
    """Faults of one file, and the tests that are about it."""

    file: str
    tests: tuple[str, ...]

    def __call__(self, fault: str, before: str, after: str) -> Mutant:
        return Mutant(fault, self.file, before, after, self.tests)


_redemption = _in("domain/redemption.py", "tests/domain/test_redemption.py")
_link = _in("domain/link.py", "tests/domain/test_link.py")
_calendar = _in("domain/calendar.py", "tests/domain/test_calendar.py")
_agenda = _in(
    "domain/agenda.py", "tests/domain/test_agenda.py", "tests/domain/test_booking_changes.py"
)
_slot = _in("domain/slot.py", "tests/domain/test_slot.py", "tests/domain/test_reserved_time.py")
_issuing = _in("domain/issuing.py", "tests/domain/test_offer.py")
_redeeming = _in(
    "application/commands/redemption.py",
    "tests/application/commands/test_redemption.py",
    "tests/application/commands/test_idempotency.py",
    "tests/application/commands/test_several_processes.py",
    "tests/application/commands/test_races.py",
)
_links = _in(
    "application/commands/links.py",
    "tests/application/commands/test_links.py",
    "tests/application/commands/test_calendars.py",
    "tests/application/commands/test_races.py",
)
_repeating = _in(
    "application/commands/repeated_issuing.py",
    "tests/application/commands/test_repeated_issuing.py",
)
_bookings = _in(
    "application/commands/bookings.py",
    "tests/application/commands/test_bookings.py",
    "tests/application/commands/test_races.py",
)
_store = _in(
    "application/eventstore/event_sourced_application.py",
    "tests/application/eventstore/test_event_sourced_application.py",
    "tests/application/commands/test_restored_database.py",
)
_recorder = _in(
    "application/eventstore/recorder.py",
    "tests/application/eventstore/test_recorder.py",
    "tests/application/eventstore/test_shared_appends.py",
    "tests/application/eventstore/test_lost_acknowledgement.py",
    "tests/application/eventstore/test_full_disk.py",
)
_statement = _in(
    "application/schema/0064_append_events.sql",
    "tests/application/eventstore/test_recorder.py",
    "tests/application/eventstore/test_shared_appends.py",
)
_group = _in(
    "application/eventstore/group_commit.py",
    "tests/application/eventstore/test_group_commit.py",
    "tests/application/eventstore/test_shared_appends.py",
)
_personal_data = _in(
    "application/people/personal_data.py",
    "tests/application/people/test_personal_data.py",
    "tests/application/commands/test_erasure.py",
)
_report = _in(
    "application/audit/single_use_report.py",
    "tests/application/audit/test_single_use_of_forged_logs.py",
    "tests/application/audit/test_single_use_report.py",
)
_index = _in(
    "application/audit/interval_index.py", "tests/application/audit/test_interval_index.py"
)
_signer = _in(
    "application/proofs/checkpoint_signer.py",
    "tests/application/proofs/test_checkpoint_signer.py",
)
_signing = _in(
    "projections/evidence/checkpoint_signing.py",
    "tests/projections/evidence/test_checkpoint_store.py",
    "tests/projections/evidence/test_patrol.py",
)
_checkpoints = _in(
    "projections/evidence/checkpoint_store.py",
    "tests/projections/evidence/test_checkpoint_store.py",
    "tests/projections/evidence/test_patrol.py",
)
_verification = _in(
    "projections/evidence/log_verification.py",
    "tests/projections/evidence/test_log_verification.py",
)
_verifier = _in(
    "application/proofs/verifier.py",
    "tests/application/proofs/test_verifier.py",
    "tests/application/proofs/test_checkpoint_signer.py",
    "tests/application/proofs/test_merkle_proofs.py",
    "tests/application/proofs/test_verifying_exports.py",
    "tests/application/proofs/test_witness.py",
)
_claims = _in("application/deliveries/claims.py", "tests/interface/mail/test_sending.py")
_sender = _in(
    "application/deliveries/sender.py",
    "tests/interface/mail/test_sender_and_database.py",
)
_sender_session = _in(
    "application/deliveries/sender_session.py",
    "tests/interface/mail/test_sender_and_database.py",
)
_hosts = _in(
    "application/eventstore/hosts.py",
    "tests/application/eventstore/test_hosts.py",
)
_routes = _in("interface/api/routes.py", "tests/interface/api/test_routes.py")
_search = _in(
    "projections/views/link_search.py",
    "tests/projections/views/test_link_search.py",
)

MUTANTS = (
    # A link is redeemed at most once, and whoever loses hears the true reason.
    _link(
        "a link that was used can be redeemed again once it has expired",
        "        if self.booking_id is not None:\n            return LinkStatus.REDEEMED",
        "        if self.booking_id is not None and now < self.expires_at:\n"
        "            return LinkStatus.REDEEMED",
    ),
    _link(
        "a link works at the moment at which it expires",
        "now >= self.expires_at",
        "now > self.expires_at",
    ),
    _link(
        "a link is redeemed whatever its state",
        "        self.must_be_active(now)\n        self.trigger_event(\n            self.Redeemed",
        "        self.trigger_event(\n            self.Redeemed",
    ),
    _link(
        "a link that was used can be revoked",
        "        if self.booking_id is not None:\n            raise LinkRedeemed\n",
        "",
    ),
    _link(
        "a revoked link can be replaced, again and again",
        "            if replaced_by is not None:\n                raise LinkRevoked\n",
        "",
    ),
    _link(
        "a revoked link is said to have expired",
        "            case LinkStatus.REVOKED:\n                raise LinkRevoked",
        "            case LinkStatus.REVOKED:\n                raise LinkExpired",
    ),
    _link("revoking has no effect", "        self.is_revoked = True", "        pass"),
    _link(
        "redeeming does not say which booking used the link",
        "        self.booking_id = booking_id\n",
        "        self.booking_id = self.id\n",
    ),
    _link(
        "a link may live for ever",
        "    if expires_at - now > LONGEST_LIFE:",
        "    if False:",
    ),
    _link(
        "an outdated change of a link is accepted",
        "        if version != self.version:\n            raise StaleVersion\n",
        "",
    ),
    _redemption(
        "a slot is given that the calendar does not offer",
        "    if not is_offered(rules, slot, now=request.now, offer=offer):\n        return None\n",
        "",
    ),
    _redemption(
        "a link gives what its offer leaves out",
        "    if not is_offered(rules, slot, now=request.now, offer=offer):",
        "    if not is_offered(rules, slot, now=request.now):",
    ),
    _redemption(
        "everybody without a key repeats the request that used the link without one",
        "request.idempotency_key is not None and link",
        "link",
    ),
    _redemption(
        "a repeated request for a forgotten invitee is answered",
        "    if personal_data is None:\n        raise LinkRedeemed\n",
        "",
    ),
    _redemption(
        "a repeated request for another slot gets the booking",
        "made.slot.start != start or ",
        "",
    ),
    _redemption(
        "a repeated request of another person gets the booking",
        " or made.personal_data != personal_data",
        "",
    ),
    _redemption(
        "whoever lost the link hears of the slot",
        "    link.must_be_active(request.now)\n    if reservation",
        "    if reservation",
    ),
    _redemption(
        "what the owner has in other calendars is booked over",
        "    if is_busy_elsewhere:\n        raise SlotTaken\n",
        "",
    ),
    _redemption(
        "a booking across midnight is reserved on one day only",
        "    for day in agenda:",
        "    for day in list(agenda)[:1]:",
    ),
    _redemption(
        "the log does not know the key of a redemption",
        "        idempotency_key=request.idempotency_key,",
        "        idempotency_key=None,",
    ),
    _redemption(
        "a booking names another version of its calendar than that it was decided by",
        "calendar_version=calendar.version",
        "calendar_version=1",
    ),
    # Bookings of one owner never overlap, buffers included.
    _agenda(
        "what clashes is reserved",
        "            raise SlotTaken\n",
        "            return\n",
    ),
    _agenda(
        "a booking is in its own way",
        "for _, other in near if other != booking_id]",
        "for _, other in near]",
    ),
    _agenda(
        "the next booking is overlooked",
        "self._by_start[max(after - 2, 0) : after + 2]",
        "self._by_start[max(after - 2, 0) : after]",
    ),
    _agenda(
        "a booking that moves within a day keeps its old time",
        "        if booking_id in self.reservations:\n            self._remove(booking_id)\n",
        "",
    ),
    _agenda(
        "the agenda of the day before is overlooked where a buffer reaches into it",
        "slot.widened(LONGEST_BUFFER, LONGEST_BUFFER).days()",
        "slot.days()",
    ),
    _slot("buffers may not touch", "return gap < max(", "return gap <= max("),
    _slot(
        "the buffer before a booking is not kept",
        "max(first.buffer_after, second.buffer_before)",
        "first.buffer_after",
    ),
    _slot(
        "a slot until midnight touches the next day",
        "(self.end - timedelta.resolution).toordinal()",
        "self.end.toordinal()",
    ),
    _slot(
        "slots that touch overlap",
        "self.start < other.end and other.start < self.end",
        "self.start <= other.end and other.start <= self.end",
    ),
    # Owners decide about calendars, and decisions hold what they read.
    _calendar(
        "links are issued for an archived calendar",
        "        if self.is_archived:\n            raise CalendarArchived\n\n",
        "        return\n\n",
    ),
    _calendar(
        "an archived calendar can be changed",
        "        if self.is_archived:\n            raise CalendarArchived\n        if version",
        "        if version",
    ),
    _calendar(
        "an outdated change of a calendar is accepted",
        "        if version != self.version:\n            raise StaleVersion\n",
        "",
    ),
    _calendar(
        "a calendar is archived twice",
        "        if not self.is_archived:\n            self.keep",
        "        if True:\n            self.keep",
    ),
    Mutant(
        "a calendar that is archived forgets its terms",
        "domain/calendar.py",
        "    NEWEST_EVENTS = 2\n",
        "    NEWEST_EVENTS = 1\n",
        ("tests/application/commands/test_calendars.py",),
    ),
    _issuing(
        "a repeated request to issue gets links of another offer",
        "    if (first.offer or EVERYTHING) != offer:\n        raise IdempotencyMismatch\n",
        "",
    )._replace(tests=("tests/application/commands/test_repeated_issuing.py",)),
    _redeeming(
        "a link is redeemed by rules that were replaced meanwhile",
        "personal_data=rows, unchanged=[calendar]",
        "personal_data=rows",
    ),
    _redeeming(
        "a repeated request is refused",
        "            if is_repeat(link, request):",
        "            if False:",
    ),
    _redeeming(
        "which agenda days are read follows from outdated terms",
        "guess is not None and guess.terms == calendar.terms",
        "guess is not None",
    ),
    _redeeming(
        "calendars elsewhere are not asked",
        "busy_at=OwnersTime(known.owner_id, span) if span else None",
        "busy_at=None",
    )._replace(tests=("tests/application/busy_calendars",)),
    _links(
        "a link is issued on a calendar that was archived meanwhile",
        "store.record(*issued, personal_data=rows, unchanged=[calendar])",
        "store.record(*issued, personal_data=rows)",
    ),
    _links(
        "a link is replaced on a calendar that was archived meanwhile",
        "self.event_store.record(old, new, personal_data=rows, unchanged=[calendar])",
        "self.event_store.record(old, new, personal_data=rows)",
    ),
    _links(
        "a calendar of somebody else takes links",
        "store.get_own(Calendar, calendar_id, owner_id)",
        "store.get(Calendar, calendar_id)",
    ),
    _repeating(
        "a repeated request with fewer links is answered",
        "    if len(issued) < len(links) or loaded.find(SingleUseLink, one_more.id, 1):",
        "    if len(issued) < len(links):",
    ),
    _repeating(
        "a key that replaced one link answers for another",
        'f"replace {link_id} {self.key}"',
        'f"replace {self.key}"',
    ),
    _bookings(
        "whoever moves a booking that was moved meanwhile hears of the slot",
        "            if loaded.get(Booking, booking_id).version != booking.version:",
        "            if False:",
    ),
    _bookings(
        "a booking is moved by rules that were replaced meanwhile",
        "self.event_store.record(booking, *changed, unchanged=[calendar])",
        "self.event_store.record(booking, *changed)",
    ),
    _store(
        "after a restore, events follow versions that are not there",
        "                if version_read := aggregate.version - len(events):",
        "                if version_read := 0:",
    ),
    _store(
        "after a restore, what a process remembers is believed",
        "            if remembered is not None and remembered.last not in events[:1]:",
        "            if False:",
    ),
    # What was acknowledged is in the log, once, and nothing else is said to be.
    _recorder(
        "an append whose reply was lost is refused as its own rival",
        "if outcome_is_open and (own := self._positions_if_recorded(stored_events)):",
        "if False and (own := []):",
    ),
    _recorder(
        "somebody else's events are taken for one's own",
        "        if recorded != [(event.topic, event.state) for event in stored_events]:",
        "        if len(recorded) != len(stored_events):",
    ),
    _recorder(
        "an append that may be recorded is said not to be",
        "                    was_sent = was_sent or not isinstance(lost.error, _NEVER_SENT)",
        "                    was_sent = False",
    ),
    _recorder(
        "who queues again after a lost reply is told that nothing was recorded",
        "                except NoTurn as error:\n                    if was_sent:",
        "                except NoTurn as error:\n                    if False:",
    ),
    _recorder(
        "an append that was lost before the disk was full is said not to be recorded",
        "                    if not was_sent:\n                        raise\n",
        "                    raise\n",
    ),
    _recorder(
        "what no standby has confirmed is acknowledged",
        "        if conn.warnings:",
        "        if False:",
    )._replace(tests=("tests/application/eventstore/test_server_failures.py",)),
    _recorder(
        "a stale read counts as recorded",
        "        append.outcome = StaleRead(*version)",
        "        pass",
    ),
    _recorder(
        "a conflict of one refuses all who share the transaction",
        "        if taken_before := append.versions & recorded:",
        "        if taken_before := recorded:",
    ),
    _recorder(
        "an error of one is told to the first who shares the transaction",
        "    if len(taken) > 1:",
        "    if False:",
    ),
    _recorder(
        "a full disk is tried again until the deadline",
        "        if not is_disk_full(error):\n            raise\n",
        "        raise\n",
    ),
    _statement(
        "appends take no turns, so that readers miss what commits late",
        "pg_advisory_xact_lock(",
        "pg_advisory_xact_lock_shared(",
    ),
    _statement(
        "what was decided from a stale read is recorded",
        "        IF cardinality(stale) > 0 THEN",
        "        IF false THEN",
    ),
    _statement(
        "a version that is not there counts as read",
        ") IS DISTINCT FROM read_versions[n]",
        ") > read_versions[n]",
    ),
    _statement(
        "others share the transaction of somebody who waits for the turn for ever",
        "set_config('lock_timeout', milliseconds::text, true)",
        "set_config('lock_timeout', '0', true)",
    ),
    _group(
        "rivals for a version share a transaction",
        "            and self.versions.isdisjoint(versions)\n",
        "",
    ),
    _group(
        "who has read an aggregate shares a transaction with who writes it",
        "            and self.read.keys().isdisjoint(written)\n",
        "",
    ),
    _group(
        "what somebody asked who has given up since is recorded later",
        "if each.outcome is None and not each.is_abandoned",
        "if each.outcome is None",
    ),
    _group(
        "nobody leads when the leader gives up",
        "            if self._leader is append:\n                self._leader = None\n"
        "            self._pass_on_the_lead()",
        "            pass",
    ),
    # Nobody is told twice, although senders are killed and databases get lost.
    _claims(
        "what a living sender has claimed is taken over",
        "AND granted AND objsubid = 2",
        "AND granted AND objsubid = 1",
    ),
    _claims(
        "a claim is taken over while its sender may still return",
        " AND next_attempt_at <= %(before)s",
        "",
    ),
    _claims(
        "a claim that names no sender is taken over",
        " AND claimed_by IS NOT NULL\n            AND",
        "\n            AND",
    ),
    _claims(
        "two senders may claim the same",
        "next_attempt_at = %(until)s, claimed_by",
        "next_attempt_at = least(next_attempt_at, %(until)s), claimed_by",
    ),
    _claims(
        "a sender whose claim has expired records the outcome of another's claim",
        "    WHERE deliveries.id = outcome.id AND deliveries.attempts = outcome.attempts",
        "    WHERE deliveries.id = outcome.id",
    ),
    _claims(
        "a sender releases what another has claimed since",
        "    WHERE deliveries.id = claimed.id AND deliveries.attempts = claimed.attempts",
        "    WHERE deliveries.id = claimed.id",
    ),
    _claims(
        "a sender without an answer releases the claims of all",
        "\n        AND claimed_by IS NOT DISTINCT FROM %s",
        "\n        AND (%s::integer IS NULL OR true)",
    ),
    _claims(
        "what was tried before uses up attempts of others",
        "attempts > 0 {_IN_TURN} LIMIT 1",
        "attempts > 0 {_IN_TURN} LIMIT %(most)s",
    ),
    _claims(
        "what a sender has not come to counts as an attempt",
        "    SET attempts = deliveries.attempts - 1, next_attempt_at = %s, claimed_by = NULL",
        "    SET next_attempt_at = %s, claimed_by = NULL",
    ),
    _sender(
        "a sender keeps claiming without the session that keeps its claims",
        "                self._session.check()",
        "                pass",
    ),
    _sender_session(
        "a sender lets go of its claims before it connects again",
        "        try:\n            conn = self._open()",
        "        self._end()\n        try:\n            conn = self._open()",
    ),
    _sender(
        "what was sent while the database was away is forgotten",
        "            self._unrecorded = outcomes\n            raise",
        "            raise",
    ),
    _sender(
        "what was claimed without an answer waits until the claim expires",
        "            if lost:",
        "            if False:",
    ),
    # Of several hosts of a database, the one that commits is used.
    _hosts(
        "a host that did not commit is tried first again",
        "            return primary not in names, is_avoided",
        "            return primary not in names, False",
    ),
    _hosts(
        "the primary that the cluster names is not tried first once it was slow",
        "            return primary not in names, is_avoided",
        "            return is_avoided, primary not in names",
    ),
    _hosts(
        "connections to a former primary stay in use",
        "                if primary not in _names(each):",
        "                if False:",
    ),
    _hosts(
        "the connections of all hosts are given up for one that nobody named",
        "        if self.names(primary):",
        "        if True:",
    ),
    _hosts(
        "new connections to a host that was left are given up as well",
        "self._avoided.get(address, since) > since",
        "address in self._avoided",
    ),
    # A call reaches the route that the framework finds, and a search ends.
    _routes(
        "a variable hides a word at its place",
        '"<" in part for part',
        '"<" not in part for part',
    ),
    _routes(
        "a path leads to a route although more follows",
        '.compile("|".join(alternatives)).fullmatch',
        '.compile("|".join(alternatives)).match',
    ),
    _routes(
        "a variable reaches across parts of the path",
        '"": ("[^/]+", str)',
        '"": (".+", str)',
    ),
    _search(
        "of very many texts, only some are looked at",
        "{is_found} LIMIT {most} + 1",
        "{is_found} LIMIT {most}",
    ),
    _search(
        "links beyond the first are not found where very many have the text",
        "or not self._has_more_than(first)",
        "or True",
    ),
    _search(
        "a short text is looked for in all links",
        "THEN_SEARCHED if is_long else THEN_SEARCHED[:2]",
        "THEN_SEARCHED",
    ),
    _search(
        "a short text is found only where a word begins",
        'besides = sql.SQL("") if is_long else self._query(_AND_THE_FIRST)',
        'besides = sql.SQL("")',
    ),
    # Nobody changes the log unnoticed, and people can be forgotten.
    _personal_data(
        "a commitment can be guessed, because it has no salt",
        "hashlib.sha256(salt + _canonical(data))",
        "hashlib.sha256(_canonical(data))",
    ),
    _report(
        "the proof overlooks that a link was used after its end",
        "            self._active.check(position, is_active)",
        "            self._active.check(position, True)",
    ),
    _report(
        "the proof overlooks a second redemption",
        "        return not before & half\n",
        "        return True\n",
    ),
    _report(
        "the proof overlooks links issued on archived calendars",
        "self._not_archived.check(position, calendar_id not in self._archived)",
        "self._not_archived.check(position, True)",
    ),
    _report(
        "the proof overlooks a booking without a reservation",
        "self._reserved.result(awaited.position for awaited in self._awaited.values())",
        "self._reserved.result()",
    ),
    _report(
        "the proof overlooks bookings that overlap",
        "        self._apart.check(position, is_free)\n        owner_id",
        "        self._apart.check(position, True)\n        owner_id",
    ),
    _report(
        "the proof overlooks a redemption without a booking",
        "self._paired.result(self._unpaired.values())",
        "self._paired.result()",
    ),
    _index(
        "spans that reach into the buffer of the one before are apart",
        "max(before, self.after[index - 1])",
        "before",
    ),
    _signer(
        "a checkpoint is signed that no verifier reads",
        "        parse_checkpoint(text)\n",
        "",
    ),
    _signer(
        "checkpoints of the security log pass for those of the log of events",
        "return CheckpointSigner(self.name + _SECURITY_LOG, self._seed, earlier)",
        "return CheckpointSigner(self.name, self._seed, earlier)",
    ),
    _signing(
        "a tree is signed that does not lead to the last checkpoint",
        "size < signed_size or (last and root_of(signed_size, read_tile) != last.root)",
        "size < signed_size",
    ),
    _signing(
        "a tree is signed that is not that of the log",
        "        if leaf_hash != recorded:",
        "        if False:",
    ),
    _signing(
        "events are signed that the log lacks",
        "    if len(leaves) < len(indices):",
        "    if False:",
    ),
    _checkpoints(
        "the newest checkpoint is that of the latest day, whatever the clock was",
        'name, day = max(self._names(), default=("", ""))',
        'name, day = max(self._names(), key=lambda it: it[::-1], default=("", ""))',
    ),
    _checkpoints(
        "two sign at the same time",
        "            while not _has_locked(lock.fileno()):",
        "            while False:",
    ),
    _checkpoints(
        "a checkpoint is taken for one of another size",
        "signed.size == size_of(file)",
        "True",
    ),
    _verification(
        "a changed log is as recorded where no hash of it was stored",
        "tree.size < checkpoint.size or tree.root() != checkpoint.root",
        "tree.size < checkpoint.size",
    ),
    _verification(
        "a changed event is not named",
        "        if stored_hash != leaf_hash:",
        "        if False:",
    ),
    _verifier("a leaf passes for a node", 'b"\\x00" + data', "data"),
    _verifier(
        "children of a node can be exchanged", "left + right", "min(left, right) + max(left, right)"
    ),
    _verifier(
        "any proof leads to the root",
        "require(computed == root,",
        "require(True,",
    ),
    _verifier(
        "a new tree need not extend the old one",
        "require((old, new) == (old_root, root),",
        "require(new == root,",
    ),
    _verifier(
        "an old tree can be extended by any other",
        "require((old, new) == (old_root, root),",
        "require(old == old_root,",
    ),
    _verifier(
        "half a proof is enough",
        '    require(last == 0, "the proof is too short")\n',
        "",
    ),
    _verifier(
        "a key has the id of another",
        'require(identity == key_id(name, key[1:], kind).hex(), "another id")',
        "pass",
    ),
    _verifier(
        "a checkpoint without a signature of the key is believed",
        '    require(is_signed, "the checkpoint is not signed with this key")\n',
        "",
    ),
    _verifier(
        "a checkpoint of another log is believed",
        "    require(checkpoint.origin == parse_key(key)[0],",
        "    require(True,",
    ),
    _verifier(
        "an export may leave events out",
        "        verify_inclusion(leaf, index, signed.size, proof, signed.root)\n",
        "",
    ),
    _verifier(
        "an export may show an event at another position",
        '        require(position > before, f"comes after position {before}")\n',
        "",
    ),
    _verifier(
        "an export may say more than its events",
        '        require(line == rewritten, "not in the form of an export")\n',
        "",
    ),
    _verifier(
        "the last position of an export is not that of the checkpoint",
        "not is_last or position == signed.position",
        "True",
    ),
    _verifier(
        "something may follow an export",
        '    require(next(remaining, b"") == b"",',
        "    require(True,",
    ),
    _verifier(
        "an export of another tree is believed",
        "is_part = line == header and ",
        "is_part = ",
    ),
    _verifier(
        "a witness's signature of an earlier time is believed at another",
        'return f"cosignature/v1\\ntime {timestamp}\\n{text}".encode()',
        'return f"cosignature/v1\\n{text}".encode()',
    ),
)
