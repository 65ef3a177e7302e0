"""Seeded bugs: each a small edit of the code that breaks a promise, and the tests that must notice.

Every one of them was an idea that somebody could have, and most were somebody's bug (reliability section 2.9). An edit
replaces a text that must occur exactly once; when the code moves on, `test_seeded.py` says which edit has to follow.
"""

from dataclasses import dataclass

INTERLEAVINGS = "tests/acceptance/test_interleavings.py"
CRASH = "tests/acceptance/test_crash.py"
DURABILITY = "tests/acceptance/test_durability.py"
PROCESSES = "tests/acceptance/test_processes.py"
RECONCILE = "tests/integration/reconcile"
BULK = "tests/integration/bulk"
OAUTH_CALLBACK = "tests/integration/consent/test_oauth_callback.py"
INVITATIONS = "orcid_sync/store/consent/invitations.sql"
QUEUE = "orcid_sync/store/sync/queue.sql"
RECONCILER = "orcid_sync/service/sync/reconcile.py"
TELLING = "orcid_sync/service/sync/reconciliation_log.py"
CLOSING = "orcid_sync/service/record/record_states.py"
PERMISSION = "orcid_sync/service/record/permission.py"
LIFECYCLE = "orcid_sync/model/sync/schedule.py"
PACE = "orcid_sync/store/sync/pace.sql"
PUSHES = "tests/integration/pushes"
PUSH_SQL = "orcid_sync/store/pushes/outbox.sql"
ROW_SECURITY = "orcid_sync/store/database/migrations/0001_database.sql"
FEED = "orcid_sync/store/database/migrations/0008_feed.sql"


@dataclass(frozen=True)
class Edit:
    """In this file this text becomes that one."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """One seeded bug."""

    name: str
    breaks: str
    """What is wrong then, for a reader of the table."""
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    """Arguments of pytest: the smallest selection that must fail."""
    tries: int = 1
    """How often the tests are run until they fail, where chance must help (processes that are killed)."""


def mutant(name: str, breaks: str, tests: str, *edits: tuple[str, str, str], tries: int = 1) -> Mutant:
    """A mutant whose tests are given as one text."""
    return Mutant(name, breaks, tuple(Edit(*edit) for edit in edits), tuple(tests.split()), tries)


_HOLD = "            await queue.hold(connection, lease, alone=bool(finding.effects))\n"
_APPLY = """            if finding.changeset is not NOTHING:
                await items.apply(connection, lease.orcid, finding.changeset.writing)
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
_NEXT = "        async with transaction(self.database.worker) as connection:\n"

_FENCE_IN_HOLD = "where orcid = :orcid and lease_no = :lease_no and applied_lease_no < :lease_no\n   for key share"
_FENCE_IN_SETTLE = " where q.orcid = :orcid and q.lease_no = :lease_no\nreturning true;"

_FEED_HEAD_BY_SEQUENCE = """
drop table orcid_sync.feed_head;
create sequence orcid_sync.feed_seq;
create table orcid_sync.feed_epoch (one boolean primary key default true, epoch uuid default gen_random_uuid());
insert into orcid_sync.feed_epoch default values;
create view orcid_sync.feed_head as
  select one, epoch, (select case when is_called then last_value else 0 end from orcid_sync.feed_seq) as last
    from orcid_sync.feed_epoch;
create table orcid.changes ("""

_LINES_OF_PUBLIC_ITEMS = """  or 'public' in (visibility, visibility_before)
    and orcid not in (select r.orcid from orcid.records r where r.withheld = 'all')
"""

_TAKE_POSITIONS = """
update orcid_sync.feed_head set last = last + :count
returning last - :count as before, clock_timestamp() as at;
"""
_TAKE_NUMBERS = """
select min(n) - 1 as before, clock_timestamp() as at
  from (select nextval('orcid_sync.feed_seq') as n from generate_series(1, :count)) as numbers;
"""

_COMPARE_WHAT_BULK_ANSWERED = """
        wanting = [item.id for item in reading.items if diff.wants_detail(held.items.get(item.id), item)]
        kept = [i for i in reading.items if i.section != "work" or i.id in details or i.id not in wanting]
        comparison = diff.compare(held.items, reading.answered, kept, details)
"""

_SUBSCRIBE_AND_READ = """
            if self.subscription and not merged:
                job = replace(job, announced=await self.subscription.ensure(job.orcid))
            finding = await self._read(job)
"""
_READ_AND_SUBSCRIBE = """
            finding = await self._read(job)
            if self.subscription and not merged:
                job = replace(job, announced=await self.subscription.ensure(job.orcid))
"""

MUTANTS = [
    mutant(
        "ack-before-commit",
        "204 is sent while the mark is still on its way to the database",
        DURABILITY,
        ("orcid_sync/service/webhooks/group_commit.py", "        return await acknowledged\n", "        return True\n"),
    ),
    mutant(
        "ack-on-failure",
        "204 is sent although PostgreSQL could not take the mark",
        f"{DURABILITY} -k postgresql",
        (
            "orcid_sync/service/webhooks/intake.py",
            "            answer = UNAVAILABLE\n",
            "            answer = ACKNOWLEDGED\n",
        ),
    ),
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
            LIFECYCLE,
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
        (LIFECYCLE, "if turn.cause is Cause.NOTIFICATION or (not complete", "if (not complete"),
    ),
    mutant(
        "no-second-look-at-states",
        "an unlocking that is not announced stays unseen for a day",
        INTERLEAVINGS,
        (
            LIFECYCLE,
            "second_look_in=_second_look(turn, policy, complete=True)",
            "second_look_in=turn.second_look_owed_in",
        ),
    ),
    mutant(
        "positions-from-a-sequence",
        "positions come from a sequence: gaps, and readers that page by them miss what is committed late",
        CRASH,
        (
            FEED,
            "\ncreate table orcid.changes (",
            _FEED_HEAD_BY_SEQUENCE,
        ),
        (
            "orcid_sync/store/feed/changes.sql",
            _TAKE_POSITIONS,
            _TAKE_NUMBERS,
        ),
        tries=2,
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
        "delete-on-error",
        "an error of the Registry is taken for a deactivated record",
        INTERLEAVINGS,
        (
            "orcid_sync/registry/errors.py",
            "return STATUSES.get(status, Unavailable)",
            "return STATUSES.get(status, Deactivated)",
        ),
    ),
    mutant(
        "wrong-record-filed",
        "another person's record is stored under the iD that was asked for",
        f"{RECONCILE}/test_faults.py -k filed",
        ("orcid_sync/registry/answers.py", "if decode(body, _Record).orcid_identifier.path != orcid:", "if False:"),
    ),
    mutant(
        "redirect-followed",
        "the redirect of a merged record is followed to another person's",
        "tests/integration/registry/test_http_exchange.py -k redirect",
        ("orcid_sync/registry/http_exchange.py", "allow_redirects=False", "allow_redirects=True"),
    ),
    mutant(
        "404-believed-at-once",
        "one 404 is taken for the record's end",
        f"{RECONCILE}/test_record_states.py -k 404",
        (
            CLOSING,
            "if fate.confirm and not _is_confirmed(policy, job, fate):",
            "if False:",
        ),
    ),
    mutant(
        "end-not-forgotten",
        "the history still says what a deactivated record said",
        f"{RECONCILE}/test_record_states.py -k ends",
        (CLOSING, "[_forget] if changeset.changes else []", "[]"),
    ),
    mutant(
        "lost-sight-is-deletion",
        "what a narrower grant does not show is taken for deleted",
        f"{RECONCILE}/test_removals.py {RECONCILE}/test_access.py",
        ("orcid_sync/model/record/removals.py", "return ACCESS_LOST if lost_sight else REMOVED", "return REMOVED"),
    ),
    mutant(
        "frozen-items-read-again",
        "items that stayed while a record was locked are taken for read with the access of that day",
        f"{RECONCILE}/test_refused_tokens.py -k locked",
        (CLOSING, "job.lease.body_access or job.access.text", "job.access.text"),
    ),
    mutant(
        "outage-revokes-everybody",
        "tokens that are refused all at once count as revoked",
        f"{RECONCILE}/test_refused_tokens.py -k numbers",
        (PERMISSION, "if not schedule.outage(", "if True or not schedule.outage("),
    ),
    mutant(
        "verdict-on-another-token",
        "what was heard of a token is written down for the one that has replaced it",
        f"{RECONCILE}/test_refused_tokens.py -k void",
        (PERMISSION, "    return (demand(job), _following(fate))\n", "    return (_following(fate),)\n"),
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
        (RECONCILER, "if not diff.shrinks(held.items, removed):", "if True:"),
    ),
    mutant(
        "missing-section-is-empty",
        "a section that the answer leaves out is taken for an empty one",
        f"{RECONCILE}/test_holds.py -k section",
        ("orcid_sync/model/record/diff.py", "if key[0] in spoken_of and key not in seen", "if key not in seen"),
    ),
    mutant(
        "missing-work-is-deleted",
        "a work that a bulk answer leaves out is taken for deleted",
        f"{RECONCILE}/test_reconcile.py -k bulk",
        (
            RECONCILER,
            "        comparison = diff.compare(held.items, reading.answered, reading.items, details)\n",
            _COMPARE_WHAT_BULK_ANSWERED,
        ),
    ),
    mutant(
        "missing-work-is-known",
        "a record of which a full work is missing is taken for completely read, and never asked again",
        f"{RECONCILE}/test_reconcile.py -k bulk",
        ("orcid_sync/service/record/record_reader.py", "return details, complete", "return details, True"),
    ),
    mutant(
        "old-full-form-is-known",
        "a full form that is older than its summary is taken for the right one, and never asked again",
        f"{RECONCILE}/test_faults.py -k old_full_form",
        (
            "orcid_sync/service/record/record_reader.py",
            "complete and item.id in details and belongs_to(details[item.id], item)",
            "complete and item.id in details",
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
        "ciphertext-without-place",
        "a token that was moved to another person's row opens there",
        "tests/unit/settings/test_vault.py -k elsewhere",
        ("orcid_sync/store/database/encryption.py", "{key_id}|{orcid}|{column}", "{key_id}|{column}"),
    ),
    mutant(
        "rotation-without-lock",
        "a token that is stored while the keys are replaced is overwritten by the one before",
        "tests/integration/database/test_keys.py -k somebody_else_writes",
        (
            "orcid_sync/store/database/encryption_keys.sql",
            " order by orcid\n limit :limit::bigint\n   for no key update skip locked;",
            " order by orcid\n limit :limit::bigint;",
        ),
    ),
    mutant(
        "any-key-serves",
        "with a wrong key the service starts, and seals with it what nobody can tell apart later",
        "tests/integration/database/test_keys.py -k wrong_key",
        ("orcid_sync/store/database/encryption_keys.py", "    if present in wrong:", "    if present in wrong[:0]:"),
    ),
    mutant(
        "tokens-in-the-clear",
        "our own tokens stand in the database as ORCID gave them",
        "tests/integration/daemon/test_canaries.py -k dump",
        ("orcid_sync/store/sync/client_tokens.py", "access_token=sealed, lasts", "access_token=access_token, lasts"),
    ),
    mutant(
        "answers-words-are-kept",
        "an error repeats a word of the Registry's answer, which may be the token",
        "tests/integration/daemon/test_canaries.py -k answer_of_the_registry",
        (
            "orcid_sync/registry/protocol.py",
            "isinstance(word, str) and word in OAUTH_ERRORS",
            "isinstance(word, str)",
        ),
    ),
    mutant(
        "private-is-limited",
        "who may see limited items sees private ones, too, and those whose visibility nobody knows",
        "tests/integration/mirror/test_visibility.py -k exactly",
        (ROW_SECURITY, "      or visibility = 'limited' and (select", "      or visibility <> 'public' and (select"),
    ),
    mutant(
        "past-stays-public",
        "what an item said while it was public stays readable for all after its holder restricted it",
        "tests/integration/feed/test_visibility.py -k feed",
        (
            "orcid_sync/store/feed/changes.py",
            "    await forgetting.restrict(connection, orcid, restrictions(changes))\n",
            "",
        ),
    ),
    mutant(
        "withheld-in-history",
        "what is hidden for the time being is hidden in the mirror, but not in the feed",
        "tests/integration/feed/test_visibility.py -k withheld",
        (
            FEED,
            _LINES_OF_PUBLIC_ITEMS,
            "  or 'public' in (visibility, visibility_before)\n",
        ),
    ),
    mutant(
        "erase-without-fence",
        "a worker that had read before an erasure writes the person down again after it",
        "tests/integration/consent/test_erasure.py -k has_read",
        ("orcid_sync/store/consent/erasure.sql", "set lease_no = lease_no + 1, lease_until", "set lease_until"),
        (
            "orcid_sync/service/sync/reconcile.py",
            "            for effect in finding.effects:\n                await effect(connection, lease.orcid)\n",
            "",
        ),
    ),
    mutant(
        "erase-without-waiting",
        "an erasure does not wait for a worker that is writing, and misses what that writes",
        "tests/integration/consent/test_erasure.py -k is_writing",
        ("orcid_sync/store/consent/erasure.sql", "where orcid = :orcid for update;", "where orcid = :orcid;"),
    ),
    mutant(
        "erased-but-in-history",
        "an erasure takes the record, but not what the feed says of its past",
        "tests/integration/consent/test_erasure.py -k left_in_any_table",
        (
            "orcid_sync/store/consent/erasure.py",
            'deleted["orcid.change_contents"] = await forgetting.forget_all(connection, orcid)',
            'deleted["orcid.change_contents"] = 0 * await forgetting.forget_limited(connection, orcid)',
        ),
    ),
    mutant(
        "erased-come-back",
        "who was never erased in the restored backup is not erased again",
        "tests/integration/consent/test_erasure_log.py -k nobody_back",
        ("orcid_sync/store/consent/erasure.sql", "coalesce(erased_at < :at, true)", "erased_at < :at"),
    ),
    mutant(
        "chain-without-links",
        "an entry's hash does not cover the one before it, so that the past can be rewritten entry by entry",
        "tests/unit/consent/test_hash_chain.py",
        (
            "orcid_sync/model/consent/hash_chain.py",
            "sha256(previous + canonical(content))",
            "sha256(canonical(content))",
        ),
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
            "orcid_sync/service/sync/shared_pace.py",
            "        self._client_id = client_id\n        self._terms",
            "        self._client_id = f'{client_id} {id(self)}'\n        self._terms",
        ),
    ),
    mutant(
        "herd-after-a-pause",
        "when the circuit's pause is over, all try at once",
        "tests/integration/sync/test_pace_circuit.py",
        (PACE, "failures >= 5 and free_at = at as probing", "false as probing"),
    ),
    mutant(
        "lanes-in-their-order",
        "places always go to the best lane that has work",
        "tests/integration/sync/test_worker_lanes.py -k storm",
        ("orcid_sync/model/sync/lane_shares.py", "key=lambda lane: (self._start(lane), lane)", "key=lambda lane: lane"),
    ),
    mutant(
        "state-of-any-browser",
        "whoever knows a state can come back with it: login CSRF",
        f"{OAUTH_CALLBACK} -k belongs_to_the_browser",
        (
            "orcid_sync/service/consent/oauth_callback.py",
            "or not hmac.compare_digest(flow.browser_hash, hashed(browser))",
            "or not hmac.compare_digest(flow.browser_hash, flow.browser_hash)",
        ),
    ),
    mutant(
        "state-without-an-end",
        "a state is good for ever",
        f"{OAUTH_CALLBACK} -k ten_minutes",
        ("orcid_sync/service/consent/oauth_callback.py", "flow is None or not flow.in_time or", "flow is None or"),
    ),
    mutant(
        "state-used-twice",
        "a state stays when it was used: a reload sends the code again, which costs the holder the token",
        f"{OAUTH_CALLBACK} -k two_returns",
        (
            INVITATIONS,
            "delete from orcid_sync.consent_flows\n where state_hash = :state_hash\nreturning",
            "update orcid_sync.consent_flows set state_hash = state_hash\n where state_hash = :state_hash\nreturning",
        ),
    ),
    mutant(
        "code-sent-again",
        "a code whose answer was lost is sent once more",
        "tests/unit/registry/test_consent.py -k once",
        (
            "orcid_sync/registry/client.py",
            "            return await self._try(request, None, held)\n\n    async def revoke_token",
            "            return await self._repeat(request, None, held)\n\n    async def revoke_token",
        ),
    ),
    mutant(
        "grants-at-once",
        "grants of one iD do not wait for each other: two people are its holder, or one of them an error",
        f"{OAUTH_CALLBACK} -k two_grants",
        (
            INVITATIONS,
            "select pg_advisory_xact_lock(hashtextextended('orcid_sync|' || :orcid::text, 0))",
            "select :orcid::text",
        ),
    ),
    mutant(
        "invitation-of-two",
        "two grants by one invitation do not wait for each other: the second takes the first one's place",
        f"{OAUTH_CALLBACK} -k two_ids",
        (
            INVITATIONS,
            "select from orcid_sync.invitations where number = :number for no key update",
            "select from orcid_sync.invitations where number = :number",
        ),
    ),
    mutant(
        "anybodys-id",
        "the iD that the institution expects is not compared with the one that came",
        "tests/integration/consent/test_connect_pages.py -k another_id",
        ("orcid_sync/model/consent/invitation.py", "        return Outcome.DIFFERENT\n", "        pass\n"),
    ),
    mutant(
        "unwanted-token-kept",
        "the token of who was not meant is not revoked",
        "tests/integration/consent/test_connect_pages.py -k another_id",
        (
            "orcid_sync/service/consent/token_exchange.py",
            "            await connections.retire_unwanted(connection, orcid, sealed)\n",
            "",
        ),
    ),
    mutant(
        "form-of-any-page",
        "a form of another site can end the connection",
        "tests/integration/consent/test_signed_links.py -k only_the_page",
        (
            "orcid_sync/service/consent/disconnect_page.py",
            'if not self._context.tickets.guards(cookie, form.get("guard", "")):',
            "if not cookie:",
        ),
    ),
    mutant(
        "names-as-markup",
        "what is in a name is HTML",
        "tests/integration/consent/test_page_requests.py -k stay_text",
        ("orcid_sync/service/consent/html_pages.py", "autoescape=True", "autoescape=False"),
    ),
    mutant(
        "signature-of-any-purpose",
        "links, sessions and guards are signed with one key: one can be passed off as another",
        "tests/unit/consent/test_signed_links.py",
        (
            "orcid_sync/service/consent/signed_links.py",
            'derive(f"connect pages: {purpose}")',
            'derive("connect pages")',
        ),
    ),
    mutant(
        "host-of-the-request",
        "where we lead is decided by what a request says",
        "tests/integration/consent/test_page_requests.py -k decides_where",
        (
            "orcid_sync/service/consent/oauth_callback.py",
            'response = context.lead(context.at("/connected"))',
            'response = context.lead("https://evil.example/connected")',
        ),
    ),
    mutant(
        "file-over-verified",
        "a record from a file overwrites what was compared with ORCID since",
        "tests/unit/bulk/test_decisions.py",
        (
            "orcid_sync/bulk/precedence.py",
            "(standing.registry_modified_at, standing.verified_at)",
            "(standing.registry_modified_at,)",
        ),
    ),
    mutant(
        "file-covers-reads",
        "a lease for loading a file covers what asked for a read",
        f"{BULK}/test_bootstrap.py -k last_of_all",
        (
            "orcid_sync/store/mirror/bulk_load.sql",
            "set lease_no = q.lease_no + 1,",
            "set lease_no = q.lease_no + 1, leased_gen = q.gen,",
        ),
    ),
    mutant(
        "file-without-fence",
        "a paused worker's older read is applied over a newer file",
        f"{BULK}/test_bootstrap.py -k paused_past",
        ("orcid_sync/store/mirror/bulk_load.sql", "set lease_no = q.lease_no + 1,", "set"),
        ("orcid_sync/store/mirror/bulk_load.sql", "       applied_lease_no = q.lease_no,\n", ""),
    ),
    mutant(
        "file-postpones-notifications",
        "a read that somebody asked for is put off because a file was loaded",
        f"{BULK}/test_bootstrap.py -k put_off",
        ("orcid_sync/store/mirror/bulk_load.sql", "q.lane = 2 and q.verified_at", "q.verified_at"),
    ),
    mutant(
        "file-for-strangers",
        "who is connected while a file is loaded is taken for somebody whom nobody follows",
        f"{BULK}/test_faults.py -k same_second",
        ("orcid_sync/bulk/write.py", "if strangers and await", "if not strangers and await"),
    ),
    mutant(
        "withdrawn-for-good",
        "who connects again before ORCID has confirmed the disconnection never gets back what was withdrawn",
        "tests/integration/consent/test_disconnection.py -k before_all_was_revoked",
        (
            "orcid_sync/service/consent/disconnect.py",
            "        await queue.disregard(connection, lease, PUBLIC.text)\n",
            "",
        ),
    ),
    mutant(
        "file-with-limited-items",
        "what is not public comes in by a file",
        "tests/unit/bulk/test_documents.py -k only_what_is_public",
        ("orcid_sync/bulk/parse.py", 'if item.visibility == "public"],', "],"),
    ),
    mutant(
        "file-removes-own-items",
        "a file of public data removes what only we may see",
        f"{BULK}/test_bootstrap.py -k not_public",
        ("orcid_sync/bulk/records.py", 'if known.visibility == "public"}', "}"),
    ),
    mutant(
        "file-other-digest",
        "adding a full form changes the digest of the summary: the next read takes it for another one",
        f"{BULK}/test_later_reads.py -k finds_nothing",
        ("orcid_sync/bulk/details.py", "held.items[key].digest", "old.digest()"),
    ),
    mutant(
        "file-another-selection",
        "a load goes on where one of other people was interrupted",
        f"{BULK}/test_faults.py -k since_the_interruption",
        ("orcid_sync/bulk/load.py", 'wanted = "".join(sorted(ours)).encode()', 'wanted = b"ours"'),
    ),
    mutant(
        "file-table-entry",
        "one entry of the table of XML is wrong",
        "tests/unit/bulk/test_documents.py",
        ("orcid_sync/bulk/summaries.py", '"journal-title": WRAPPED,', '"journal-title": TEXT,'),
    ),
    mutant(
        "outage-survived",
        "webhooks that died while nobody could answer ORCID stay dead until a change of each is missed",
        "tests/integration/webhooks/test_silent_webhooks.py -k three_days",
        (
            "orcid_sync/service/webhooks/health.py",
            "    if health.alive_since and health.outage is None",
            "    if False",
        ),
    ),
    mutant(
        "gap-bridged",
        "a process that was away for hours says afterwards that it was there",
        "tests/integration/webhooks/test_evidence.py -k goes_on",
        (
            "orcid_sync/store/webhooks/evidence.sql",
            "select last.* from last where last.alive_until >= now() - :tolerance::interval",
            "select last.* from last where :tolerance::interval > '0'",
        ),
    ),
    mutant(
        "found-early-forgotten",
        "what a net finds before its notification is never missed: nets hide dead webhooks",
        "tests/integration/webhooks/test_evidence.py -k decided_later",
        (
            "orcid_sync/store/webhooks/evidence.py",
            "        await queries.await_notification(connection, orcid=orcid, changed_at=changed_at)\n",
            "",
        ),
    ),
    mutant(
        "push-other-eyes",
        "what is pushed to everybody is read with the eyes of those who may see limited items",
        f"{PUSHES}/test_privacy.py -k each_view",
        ("orcid_sync/service/pushes/compose.py", "viewing(pool, view)", "viewing(pool, View.LIMITED)"),
    ),
    mutant(
        "push-redirect-delivered",
        "a receiver that has moved is taken for one that took the message",
        "tests/unit/pushes/test_attempts.py",
        ("orcid_sync/model/pushes/delivery.py", "200 <= status < 300", "200 <= status < 400"),
    ),
    mutant(
        "push-socket-unlocked",
        "only names are judged, not what is connected to",
        f"{PUSHES}/test_egress.py",
        (
            "orcid_sync/service/pushes/guarded_client.py",
            "        self.check_address(address[0])\n        return socket",
            "        return socket",
        ),
    ),
    mutant(
        "push-redirect-followed",
        "a receiver sends us wherever it likes",
        f"{PUSHES}/test_egress.py -k redirect",
        ("orcid_sync/service/pushes/guarded_client.py", "allow_redirects=False", "allow_redirects=True"),
    ),
    mutant(
        "push-metadata",
        "a network that is allowed holds a cloud's credentials",
        "tests/unit/pushes/test_addresses.py",
        ("orcid_sync/model/pushes/allowed_addresses.py", "if address in _METADATA:", "if False:"),
    ),
    mutant(
        "push-grows",
        "a message that is tried again says more than before, under another id",
        f"{PUSHES}/test_delivery.py -k begun_is_sent_again",
        (
            PUSH_SQL,
            "set sending_to = case when begun.range_number is null then begun.sending_to else p.sending_to end",
            "set sending_to = p.sending_to",
        ),
    ),
    mutant(
        "push-unfenced",
        "whoever lost the lease moves the position all the same",
        f"{PUSHES}/test_delivery.py -k begun_is_sent_again",
        (
            PUSH_SQL,
            "due_at = now(), lease_until = '-infinity'\n where subscription_id = :id and lease_no = :lease_no",
            "due_at = now(), lease_until = '-infinity'\n where subscription_id = :id and lease_no >= :lease_no",
        ),
    ),
    mutant(
        "push-dead-everywhere",
        "receivers that are down take all places",
        "tests/integration/pushes/test_pusher.py -k slow_down_nobody",
        ("orcid_sync/service/pushes/push_loop.py", "DOUBTFUL_SHARE = 4", "DOUBTFUL_SHARE = 1"),
    ),
    mutant(
        "push-no-circuit",
        "an endpoint that is down is tried by all its subscriptions",
        f"{PUSHES}/test_delivery.py -k endpoint_is_down",
        (
            PUSH_SQL,
            "where e.origin = due.origin and e.failures >= :circuit)",
            "where e.origin = due.origin and e.failures < 0)",
        ),
    ),
    mutant(
        "push-no-resync",
        "a feed that lost its history goes on as if nothing had happened",
        f"{PUSHES}/test_delivery.py -k lost_its_history",
        (
            "orcid_sync/store/pushes/outbox.py",
            "return self.epoch != self.feed_epoch or self.caught_up > self.feed_last",
            "return False",
        ),
    ),
    mutant(
        "push-one-signature",
        "while a secret is replaced only the new one signs",
        f"{PUSHES}/test_delivery.py -k both_sign",
        ("orcid_sync/service/pushes/messages.py", "for secret in secrets]", "for secret in secrets[:1]]"),
    ),
    mutant(
        "push-overtaken",
        "what comes after a dead message is sent before it",
        f"{PUSHES}/test_delivery.py -k fails_for_days",
        (
            "orcid_sync/store/pushes/subscriptions.sql",
            "resumed.when_dead = 'pause' and r.state = 'dead'",
            "r.state = 'none'",
        ),
    ),
    mutant(
        "push-removal-filtered",
        "whoever filters by content never hears that an item is gone",
        "tests/unit/pushes/test_filters.py",
        ("orcid_sync/model/pushes/filters.py", "        if not seen or (", "        if seen and ("),
    ),
    mutant(
        "explained-to-everybody",
        "whoever may see what is public is told what is limited, in the answer to why it is so",
        "tests/integration/console/test_explanation.py -k no_view",
        ("orcid_sync/service/explain/explain.py", "            await become(connection, question.view)\n", ""),
    ),
    mutant(
        "journal-of-nothing",
        "reads that find nothing new are written down, too",
        "tests/integration/console/test_explanation.py -k nothing_new",
        (
            TELLING,
            "    if finding.outcome != UNCHANGED:\n        with suppress",
            "    if finding.outcome:\n        with suppress",
        ),
        (
            TELLING,
            "    if finding.outcome != UNCHANGED:\n        await reads",
            "    if finding.outcome:\n        await reads",
        ),
    ),
    mutant(
        "forgotten-is-absent",
        "what was forgotten looks as if it had never been",
        "tests/integration/mirror/test_history.py -k forgotten",
        (
            "orcid_sync/store/mirror/history.sql",
            " where c.op <> 'added' or c.content is not null",
            " where c.content is not null",
        ),
    ),
    mutant(
        "old-webhooks-too-early",
        "while a secret is replaced, older webhooks go before a new one was seen working",
        "tests/integration/webhooks/test_rotation.py -k old_ones",
        (
            "orcid_sync/model/webhooks/registration.py",
            "    return stands and (present.generation.works or old.generation.given_up_at is not None)",
            "    return stands",
        ),
    ),
    mutant(
        "backup-reconnects",
        "whoever disconnected goes on being shown after a backup was restored",
        "tests/integration/consent/test_erasure_log.py -k has_ended",
        (
            "orcid_sync/service/consent/erasure_log.py",
            "    return [one for one in named if await _is_back(connection, one)]",
            "    return [one for one in named if one.line.event == ERASED and await _is_back(connection, one)]",
        ),
    ),
    mutant(
        "shared-question-forgotten",
        "a search that was cut short goes on behind iDs that it has not asked about again",
        "tests/integration/sync/test_safety_nets.py -k share_a_question",
        ("orcid_sync/service/sync/safety_nets.py", "reached=done if waiting else looked)", "reached=looked)"),
    ),
]
