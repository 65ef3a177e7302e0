"""Seeded bugs: telling others of changes."""

from mutant import mutant

PUSHES = "tests/integration/pushes"
PUSH_SQL = "orcid_sync/store/pushes/outbox.sql"
_GIVEN_BACK = "lease_until = '-infinity'\n where subscription_id = :id"

BUGS = [
    mutant(
        "push-of-additions-only",
        "a receiver that wants additions is not told of what is withheld, removed or withdrawn",
        "tests/acceptance/test_consumers.py",
        (
            "orcid_sync/model/pushes/filters.py",
            "            and (not self.operations or line.op in self.operations or line.op in GOING)\n",
            "            and (not self.operations or line.op in self.operations)\n",
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
        ("orcid_sync/service/pushes/signed_messages.py", "for secret in secrets]", "for secret in secrets[:1]]"),
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
        "push-part-without-its-last",
        "a part of the feed that is sent once more ends one change too early if a message ends there",
        f"{PUSHES}/test_ranges.py -k behind_a_message",
        (PUSH_SQL, "and number = :number and to_seq <= :reached", "and number = :number and to_seq - 1 <= :reached"),
    ),
    mutant(
        "push-part-passed-over",
        "the same, if what comes before its last change was not wanted",
        f"{PUSHES}/test_ranges.py -k not_wanted",
        (PUSH_SQL, "and passed.reached >= r.to_seq", "and passed.reached >= r.to_seq - 1"),
    ),
    mutant(
        "push-part-one-short",
        "a part that was asked for is taken up to the change before its last one",
        f"{PUSHES}/test_ranges.py -k as_large",
        (
            "orcid_sync/store/pushes/redelivery.sql",
            "'replaying', :from_seq::bigint, least(:to_seq::bigint, numbered.reached)",
            "'replaying', :from_seq::bigint, least(:to_seq::bigint, numbered.reached) - 1",
        ),
    ),
    mutant(
        "push-failure-unfenced",
        "whoever lost the lease writes that the message failed, which somebody else has delivered",
        f"{PUSHES}/test_lost_leases.py",
        (
            PUSH_SQL,
            f"coalesce(paused, :paused), {_GIVEN_BACK} and lease_no = :lease_no",
            f"coalesce(paused, :paused), {_GIVEN_BACK}",
        ),
    ),
    mutant(
        "push-death-unfenced",
        "whoever lost the lease gives up a message that somebody else has delivered",
        f"{PUSHES}/test_lost_leases.py",
        (
            PUSH_SQL,
            f"else paused end, {_GIVEN_BACK} and lease_no = :lease_no",
            f"else paused end, {_GIVEN_BACK}",
        ),
    ),
    mutant(
        "push-number-again",
        "what is sent once more for the second time has the id of the first time: a receiver may ignore it",
        f"{PUSHES}/test_ranges.py -k second_time",
        ("orcid_sync/store/pushes/redelivery.sql", "set last_range = p.last_range + 1", "set last_range = 1"),
    ),
    mutant(
        "push-part-for-ever",
        "a part of which nothing is wanted is looked at again and again, and nothing else is sent",
        f"{PUSHES}/test_ranges.py -k nothing_is_wanted",
        (PUSH_SQL, "and passed.reached >= r.to_seq", "and passed.reached > r.to_seq"),
    ),
    mutant(
        "push-begun-elsewhere",
        "where a message ends is written down for another subscription that has a lease of that number",
        f"{PUSHES}/test_lost_leases.py -k another",
        (PUSH_SQL, "p.subscription_id = begun.id and p.lease_no", "p.lease_no"),
    ),
    mutant(
        "push-parts-of-others",
        "a subscription that starts again throws away what others wanted to be sent once more",
        f"{PUSHES}/test_ranges.py -k starts_again",
        (
            PUSH_SQL,
            "delete from orcid_sync.push_ranges where subscription_id = :id;",
            "delete from orcid_sync.push_ranges where :id::integer > 0;",
        ),
    ),
    mutant(
        "push-everybody-down",
        "one endpoint that is down has all that ever failed left alone",
        f"{PUSHES}/test_ranges.py -k left_alone",
        (PUSH_SQL, "+ :pause::interval where origin = :origin;", "+ :pause::interval where :origin::text > '';"),
    ),
]
