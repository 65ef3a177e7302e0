"""Seeded bugs: the queue, its leases, the pace, and a reconciliation from its lease to its commit."""

from mutant import mutant

from bugs.places import COMPARISON, INTERLEAVINGS, RECONCILE

REMAINS = "tests/integration/reconcile/test_what_remains_to_be_done.py"
FENCES = "tests/integration/sync/test_queue_fences.py"
PROCESSES = "tests/acceptance/test_processes.py"
QUEUE = "orcid_sync/store/sync/queue.sql"
RECONCILER = "orcid_sync/service/sync/reconcile.py"
RECONCILIATION_LOG = "orcid_sync/service/sync/reconciliation_log.py"
SCHEDULE = "orcid_sync/model/sync/schedule.py"
PACE = "orcid_sync/store/sync/pace_and_circuit.sql"
HEALTH = "orcid_sync/model/sync/registry_health.py"
_HOLD = "            await queue.hold(connection, lease, alone=bool(finding.effects))\n"
_APPLY = """            if finding.changeset is not NOTHING:
                await items.apply(connection, lease.orcid, finding.changeset.writing)
            if finding.doubts is not None:
                await doubts.replace(connection, lease.orcid, finding.doubts)
            for effect in finding.effects:
                await effect(connection, lease.orcid)
"""
_SETTLE = """            await queue.settle(connection, lease, finding.settlement, grace=self.grace)
            await evidence.note(connection, lease, turn, finding, grace=self.policy.delivery_grace)
            await reconciliation_log.note(connection, lease, turn, finding)
"""
_WHY = "            # Last, because it keeps everybody else's commits waiting for this one's.\n"
_APPEND = "            await changes.append(connection, lease.orcid, finding.changeset.changes, cause=cause.value)\n"
_COMMIT = _HOLD + _APPLY + _SETTLE + _WHY + _APPEND
_ANNOUNCED = "turn.cause is Cause.NOTIFICATION"
_OF_A_STATE = "        applied=Applied(None, access, registry_modified_ms)"
_NEXT = "        async with transaction(self.database.worker) as connection:\n"
_FENCE_IN_HOLD = "where orcid = :orcid and lease_no = :lease_no and applied_lease_no < :lease_no\n   for key share"
_FENCE_ALONE = "-- name: hold_alone$\nselect true\n  from orcid_sync.queue\n where orcid = :orcid"
_DISREGARD = "set body_digest = null, body_access = :body_access\n where orcid = :orcid"
_FENCE_IN_SETTLE = " where q.orcid = :orcid and q.lease_no = :lease_no\nreturning true;"
_SUBSCRIBE_AND_READ = """
        if not merged:
            job = await self._subscribed(job)
        try:
            finding = await self._read(job)
"""
_READ_AND_SUBSCRIBE = """
        try:
            finding = await self._read(job)
            if not merged:
                job = await self._subscribed(job)
"""
_FORGET_THE_BOOKED = """            self._doubts += 1
            for waiting in self._lanes.values():
                waiting.booked.clear()
"""

BUGS = [
    mutant(
        "done-is-gen",
        "success clears what arrived while the record was being read",
        INTERLEAVINGS,
        (QUEUE, "when :done then q.leased_gen else", "when :done then q.gen else"),
    ),
    mutant(
        "boolean-dirty",
        "a notification that comes while the iD is leased counts as dealt with",
        INTERLEAVINGS,
        (
            QUEUE,
            "   where q.orcid = any(:orcids::text[])\n     and (\n",
            "   where q.orcid = any(:orcids::text[])\n     and q.lease_until <= now() and (\n",
        ),
    ),
    mutant(
        "drop-on-error",
        "a failed reconciliation settles what it did not do",
        INTERLEAVINGS,
        (
            SCHEDULE,
            "return Settlement(done=False, due_in=due_in, lane=turn.lane",
            "return Settlement(done=True, due_in=due_in, lane=turn.lane",
        ),
    ),
    mutant(
        "no-fence",
        "a worker that was paused past its lease still writes",
        INTERLEAVINGS,
        (QUEUE, _FENCE_IN_HOLD, _FENCE_IN_HOLD.replace("lease_no = :lease_no and ", "")),
        (QUEUE, _FENCE_IN_SETTLE, _FENCE_IN_SETTLE.replace(" and q.lease_no = :lease_no", "")),
    ),
    mutant(
        "no-fence-no-guard",
        "an older read is written over a newer one",
        INTERLEAVINGS,
        (
            QUEUE,
            _FENCE_IN_HOLD,
            _FENCE_IN_HOLD.replace("lease_no = :lease_no and applied_lease_no < :lease_no", ":lease_no > 0"),
        ),
        (QUEUE, _FENCE_IN_SETTLE, _FENCE_IN_SETTLE.replace("q.lease_no = :lease_no", ":lease_no > 0")),
    ),
    mutant(
        "no-order-guard",
        "one lease may write twice",
        "tests/integration/sync/test_queue.py",
        (QUEUE, _FENCE_IN_HOLD, _FENCE_IN_HOLD.replace(" and applied_lease_no < :lease_no", "")),
    ),
    mutant(
        "hold-without-lock",
        "the fence is looked at, but not held until the commit",
        "tests/integration/sync/test_queue.py tests/integration/sync/test_queue_model.py",
        (QUEUE, "   for key share;", ";"),
    ),
    mutant(
        "no-second-look",
        "what ORCID's caches hid from the first read stays hidden until the next check",
        INTERLEAVINGS,
        (SCHEDULE, f"return policy.second_look if {_ANNOUNCED} else turn", "return turn"),
    ),
    mutant(
        "no-second-look-at-states",
        "an unlocking that is not announced stays unseen for a day",
        INTERLEAVINGS,
        (
            SCHEDULE,
            f"second_look_in=_second_look(turn, policy),\n{_OF_A_STATE}",
            f"second_look_in=turn.second_look_owed_in,\n{_OF_A_STATE}",
        ),
    ),
    mutant(
        "feed-in-another-transaction",
        "the mirror changes, and after a crash in between nobody is told",
        INTERLEAVINGS,
        (RECONCILER, _COMMIT, _HOLD + _APPLY + _SETTLE + _NEXT + _APPEND),
    ),
    mutant(
        "settle-before-apply",
        "the iD is settled in a transaction of its own, and a crash before the second one loses the change",
        INTERLEAVINGS,
        (RECONCILER, _COMMIT, _HOLD + _SETTLE + _NEXT + _APPLY + _APPEND),
    ),
    mutant(
        "apply-before-fence",
        "the mirror is written in a transaction before the one that checks the lease",
        INTERLEAVINGS,
        (RECONCILER, _COMMIT, _APPLY + _APPEND + _NEXT + _HOLD + _SETTLE),
    ),
    mutant(
        "hidden-for-ever",
        "an equal body is skipped although readers are shown nothing of the record",
        f"{RECONCILE}/test_refused_tokens.py {RECONCILE}/test_record_states.py",
        (RECONCILER, "if same and job.known.withheld is None:", "if same:"),
    ),
    mutant(
        "shrink-guard-off",
        "a read that lost most of a section is believed at once",
        f"{RECONCILE}/test_holds.py -k section",
        (
            "orcid_sync/model/record/agreement.py",
            "removed = list(shrinking(question.known, removed))",
            "removed = []",
        ),
    ),
    mutant(
        "missing-work-is-deleted",
        "a work that a bulk answer leaves out is taken for deleted",
        f"{RECONCILE}/test_reconcile.py -k bulk",
        (
            COMPARISON,
            "reading.answered, reading.items, full_forms)",
            (
                "reading.answered, "
                "[one for one in reading.items if one.id not in {d.item for d in incomplete}], full_forms)"
            ),
        ),
    ),
    mutant(
        "body-gate-ignores-access",
        "an equal body is skipped although it was read with another access",
        f"{RECONCILE}/test_access.py",
        (
            RECONCILER,
            "same = (digest, job.access.text) == (job.lease.body_digest, job.lease.body_access)",
            "same = digest == job.lease.body_digest",
        ),
    ),
    mutant(
        "read-without-grace",
        "a notification's record is read while ORCID still writes down our answer",
        f"{PROCESSES} -k grace",
        (
            "orcid_sync/daemon/public_listener.py",
            "lane=Lane.NOTIFICATION, delay=grace)",
            "lane=Lane.NOTIFICATION, delay=timedelta())",
        ),
    ),
    mutant(
        "webhook-after-the-read",
        "a change between the first read and the registration is never announced",
        "tests/integration/webhooks/test_registration.py",
        (
            RECONCILER,
            _SUBSCRIBE_AND_READ,
            _READ_AND_SUBSCRIBE,
        ),
    ),
    mutant(
        "stop-without-drain",
        "the listeners close before the load balancer has looked away",
        f"{PROCESSES} -k stop",
        ("orcid_sync/daemon/serve.py", "        await _drain(settings, draining, worker, pusher)\n", ""),
    ),
    mutant(
        "tokens-in-the-clear",
        "our own tokens stand in the database as ORCID gave them",
        "tests/integration/daemon/test_canaries.py -k dump",
        ("orcid_sync/store/sync/client_tokens.py", "access_token=sealed, lasts", "access_token=access_token, lasts"),
    ),
    mutant(
        "pace-without-shares",
        "a storm in a better lane starves the others",
        "tests/integration/sync/test_pace.py -k TestLanes",
        (PACE, "floor(extract(epoch from at - lane_from) * lane_speed)::bigint as shared", "0::bigint as shared"),
    ),
    mutant(
        "pace-of-ones-own",
        "each replica keeps to the rate by itself: three send three times as much",
        "tests/integration/sync/test_pace_replicas.py -k together",
        (
            "orcid_sync/service/sync/pace_and_circuit.py",
            "        self._client_id = client_id\n        self._terms",
            "        self._client_id = f'{client_id} {id(self)}'\n        self._terms",
        ),
    ),
    mutant(
        "herd-after-a-pause",
        "when the circuit's pause is over, all try at once",
        "tests/integration/sync/test_pace_circuit.py",
        (PACE, "doubted and free_at = at as probing", "false as probing"),
    ),
    mutant(
        "doubt-is-the-verdict",
        "records that ORCID cannot show, several in a row, are taken for an outage",
        "tests/unit/sync/test_registry_health.py tests/integration/sync/test_sick_records.py",
        (
            HEALTH,
            "return replace(failing, doubted=_is_doubtful(failing))",
            "return replace(failing, doubted=_is_doubtful(failing), away=_is_doubtful(failing))",
        ),
    ),
    mutant(
        "doubt-by-requests",
        "failures of one and the same record count like those of many",
        "tests/unit/sync/test_registry_health.py",
        (HEALTH, "len(health.ids) >= DOUBTFUL_IDS or", "health.failures >= DOUBTFUL_IDS or"),
    ),
    mutant(
        "every-503-is-a-limit",
        "a single 503 slows everybody down",
        "tests/unit/sync/test_registry_health.py",
        (HEALTH, "window.share if refused else 0.0", "float(refused > 0)"),
    ),
    mutant(
        "outage-slows-down",
        "after an outage that answered 503 the rate is not what it was",
        "tests/unit/sync/test_registry_health.py",
        (HEALTH, "refused = 0 if health.doubted else health.crowded", "refused = health.crowded"),
    ),
    mutant(
        "pause-forgets-what-was-heard",
        "what fails before a pause comes back as if it had never been asked, and is asked first again",
        "tests/unit/registry/test_client.py -k before_a_pause",
        (
            "orcid_sync/registry/client.py",
            "raise told[0] if isinstance(told[-1], Paused) else told[-1]",
            "raise told[-1]",
        ),
    ),
    mutant(
        "booked-before-the-doubt",
        "what was booked before the doubt is sent during it",
        "tests/integration/sync/test_pace_replicas.py -k booked_before",
        (
            "orcid_sync/service/sync/pace_and_circuit.py",
            _FORGET_THE_BOOKED,
            "            self._doubts += 0\n",
        ),
    ),
    mutant(
        "lanes-in-their-order",
        "places always go to the best lane that has work",
        "tests/integration/sync/test_worker_lanes.py -k storm",
        ("orcid_sync/model/sync/lane_shares.py", "key=lambda lane: (self._start(lane), lane)", "key=lambda lane: lane"),
    ),
    mutant(
        "journal-of-nothing",
        "reads that find nothing new are written down, too",
        "tests/integration/console/test_explanation.py -k nothing_new",
        (
            RECONCILIATION_LOG,
            "    if finding.outcome != UNCHANGED:\n        with suppress",
            "    if finding.outcome:\n        with suppress",
        ),
        (
            RECONCILIATION_LOG,
            "    if finding.outcome != UNCHANGED:\n        await reads",
            "    if finding.outcome:\n        await reads",
        ),
    ),
    mutant(
        "shared-question-forgotten",
        "a search that was cut short goes on behind iDs that it has not asked about again",
        "tests/integration/sync/test_safety_nets.py -k share_a_question",
        ("orcid_sync/service/sync/safety_nets.py", "reached=done if waiting else looked)", "reached=looked)"),
    ),
    mutant(
        "order-in-seconds",
        "an answer that is older by less than a second is written over the newer one",
        f"{REMAINS} -k millisecond",
        (RECONCILER, "answered < known", "answered // 1000 < known // 1000"),
    ),
    mutant(
        "file-net-without-margin",
        "what changed while ORCID wrote its list, and is missing in it, is not looked for in the next one",
        "tests/integration/sync/test_safety_nets.py -k an_hour_behind",
        ("orcid_sync/service/sync/safety_nets.py", "sweep.since - MARGIN", "sweep.since"),
    ),
    mutant(
        "half-an-answer-known",
        "an answer without a section is what the next one is compared with, and nothing more is asked for",
        f"{REMAINS} -k not_heard",
        (RECONCILER, "Applied(None if compared.doubts else digest", "Applied(digest"),
    ),
    mutant(
        "second-look-at-operators-reads",
        "each read by hand costs a second one, as if a notification had announced something",
        f"{REMAINS} -k owed",
        (
            SCHEDULE,
            f"if {_ANNOUNCED} else",
            "if turn.cause in (Cause.NOTIFICATION, Cause.OPERATOR) else",
        ),
    ),
    mutant(
        "limited-hidden-for-ever",
        "an equal body is skipped although what is limited is still withheld",
        f"{REMAINS} -k withheld",
        (RECONCILER, "if same and job.known.withheld is None:", 'if same and job.known.withheld != "limited":'),
    ),
    mutant(
        "effects-unfenced",
        "who lost the lease still writes what follows from a read: the consent's end, a token's",
        f"{FENCES} -k alone",
        (QUEUE, f"{_FENCE_ALONE} and lease_no = :lease_no", _FENCE_ALONE),
    ),
    mutant(
        "fence-of-anybody",
        "a lease of another iD that has the same number counts as one's own",
        FENCES,
        (QUEUE, _FENCE_IN_HOLD, _FENCE_IN_HOLD.replace("orcid = :orcid and ", "")),
    ),
    mutant(
        "disregard-unfenced",
        "who lost the lease has the next answer compared in any case, and says how the last one was read",
        FENCES,
        (QUEUE, f"{_DISREGARD} and lease_no = :lease_no", _DISREGARD),
    ),
]
