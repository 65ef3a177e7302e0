"""What the service counts and measures, for Prometheus. Nothing here is ever labelled by iD: people are not series."""

import math
from collections.abc import Iterable

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

from orcid_sync import __version__
from orcid_sync.model.pushes.delivery import Result
from orcid_sync.model.record.doubts import Kind
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.model.webhooks.health import AlarmKind, WebhookHealth
from orcid_sync.store.console.in_doubt import DoubtCount
from orcid_sync.store.feed.consumers import Consumer
from orcid_sync.store.pushes.outbox import Pushes
from orcid_sync.store.sync.pace_and_circuit import Pace
from orcid_sync.store.sync.queue import LaneDepth

ACK_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
FLUSH_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096)
SLOT_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
# From the grace after a notification (seconds) to the weekly check (days).
FRESHNESS_BUCKETS = (5, 10, 30, 60, 300, 900, 1800, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600)


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("orcid_sync_build", "The release that runs.", registry=registry).info({"version": __version__})
        self._define_intake(registry)
        self._define_queue(registry)
        self._define_pace(registry)
        self._define_hearing(registry)
        self._define_consumers(registry)
        self._define_doubts(registry)
        self._define_reconciliation(registry)
        self._define_pushes(registry)
        self.loop_lag = Gauge(
            "orcid_sync_event_loop_lag_seconds",
            "How late the event loop was at worst during the last minute.",
            registry=registry,
        )

    def _define_intake(self, registry: CollectorRegistry) -> None:
        self.intake_requests = Counter(
            "orcid_sync_intake_requests",
            "Requests to the public listener by outcome: acknowledged, orphan (a right token of an iD that is not "
            "connected), page, refused, method, too_large, malformed, unavailable, failed.",
            ["outcome"],
            registry=registry,
        )
        self.consents = Counter(
            "orcid_sync_consents",
            "People who came back from ORCID to the connect pages, by outcome: granted, denied, different, used, "
            "taken, incomplete, refused, unavailable.",
            ["outcome"],
            registry=registry,
        )
        self.ack_seconds = Histogram(
            "orcid_sync_intake_ack_seconds",
            "The longest that a notification of one group commit waited, from its arrival to the commit.",
            buckets=ACK_BUCKETS,
            registry=registry,
        )
        self.flush_seconds = Histogram(
            "orcid_sync_intake_flush_seconds",
            "Duration of one group commit.",
            buckets=ACK_BUCKETS,
            registry=registry,
        )
        self.flush_ids = Histogram(
            "orcid_sync_intake_flush_ids",
            "Distinct iDs in one group commit.",
            buckets=FLUSH_BUCKETS,
            registry=registry,
        )

    def _define_queue(self, registry: CollectorRegistry) -> None:
        explained = {
            "due": "iDs that are due and wait for a worker, by lane.",
            "leased": "iDs that are being reconciled, by lane.",
            "failing": "iDs that are due or being reconciled and failed the last time, by lane.",
            "oldest_seconds": "For how long the iD that waits longest has been due, by lane.",
        }
        self.queue = {
            member: Gauge(f"orcid_sync_queue_{member}", text, ["lane"], registry=registry)
            for member, text in explained.items()
        }

    def _define_pace(self, registry: CollectorRegistry) -> None:
        self.slot_seconds = Histogram(
            "orcid_sync_pace_wait_seconds",
            "For how long requests of this process waited until they might be sent, by lane; their count is the "
            "number of requests.",
            ["lane"],
            buckets=SLOT_BUCKETS,
            registry=registry,
        )
        explained = {
            "ceiling": "Requests per second that the settings allow, all processes together.",
            "rate": "Requests per second at present: fewer after ORCID said that they are too many.",
            "pause": "Seconds during which nothing is sent: ORCID does not answer, asked to wait, or the quota is "
            "used up.",
            "failures": "Requests in a row, of all processes, to which ORCID gave no usable answer.",
            "away": "1 while ORCID does not answer the fixed question either that is asked when so much fails.",
            "used": "Requests of this day (UTC).",
            "left": "Requests left of the day's budget, if there is one.",
        }
        self.pace = {
            member: Gauge(f"orcid_sync_pace_{member}", text, ["client"], registry=registry)
            for member, text in explained.items()
        }

    def _define_hearing(self, registry: CollectorRegistry) -> None:
        explained = {
            "alarm": "1 while something is wrong with the notifications: outage (webhooks may be dead, because no "
            "listener could answer ORCID for so long), silence (none has arrived for unusually long), canary (none "
            "about canary_orcid).",
            "webhooks_in_doubt": "Webhooks by kind of doubt: lost (may be dead), reviving, suspect (did not announce a "
            "change), awaited (a change was found that may still be announced).",
            "changes_found": "Changes found within the last seven days: announced, within_grace (found first, "
            "announced in time), missed (not announced).",
        }
        self.hearing = {
            name: Gauge(f"orcid_sync_{name}", text, ["kind"], registry=registry) for name, text in explained.items()
        }
        self.silent_seconds = Gauge(
            "orcid_sync_silent_seconds", "Time since the last notification of any iD.", registry=registry
        )
        self.failed_tries = Gauge(
            "orcid_sync_failed_tries",
            "How many of a webhook's tries may have failed since no listener can answer ORCID; 0 while one can, and "
            "without webhooks.",
            registry=registry,
        )

    def _define_consumers(self, registry: CollectorRegistry) -> None:
        explained = {
            "behind": "Positions of the change feed that a named consumer has not processed.",
            "behind_seconds": "Age of the oldest change that a named consumer has not processed.",
            "must_resync": "1 if a named consumer reads a history of the feed that no longer exists.",
        }
        self.consumers = {
            member: Gauge(f"orcid_sync_consumer_{member}", text, ["consumer"], registry=registry)
            for member, text in explained.items()
        }

    def _define_doubts(self, registry: CollectorRegistry) -> None:
        explained = {
            "number": ("doubts", "What ORCID's last answers left in doubt, by kind."),
            "records": ("doubts_records", "Records of which something of a kind is in doubt."),
            "oldest_seconds": ("doubts_oldest_seconds", "For how long the oldest of a kind has been in doubt."),
        }
        self.doubts = {
            member: Gauge(f"orcid_sync_{name}", text, ["kind"], registry=registry)
            for member, (name, text) in explained.items()
        }

    def _define_reconciliation(self, registry: CollectorRegistry) -> None:
        self.registry_requests = Counter(
            "orcid_sync_registry_requests",
            "Requests to ORCID by endpoint and status (a status code, or the kind of failure without one).",
            ["endpoint", "status"],
            registry=registry,
        )
        self.registry_seconds = Histogram(
            "orcid_sync_registry_request_seconds",
            "Duration of requests to ORCID, from sending to the end of the body.",
            ["endpoint"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.reconciliations = Counter(
            "orcid_sync_reconciliations", "Reconciliations by outcome.", ["outcome"], registry=registry
        )
        self.changes = Counter(
            "orcid_sync_changes", "Changes committed, by section and operation.", ["section", "op"], registry=registry
        )
        self.modified_to_commit = Histogram(
            "orcid_sync_freshness_from_modification_seconds",
            "From ORCID's last-modified date of a changed record to our commit.",
            buckets=FRESHNESS_BUCKETS,
            registry=registry,
        )
        self.notified_to_commit = Histogram(
            "orcid_sync_freshness_from_notification_seconds",
            "From a notification's arrival to the commit of what it announced.",
            buckets=FRESHNESS_BUCKETS,
            registry=registry,
        )

    def _define_pushes(self, registry: CollectorRegistry) -> None:
        explained = {
            "number": (
                "subscriptions",
                "Subscriptions by state: active, failing, stopped (by itself), paused (by hand).",
            ),
            "behind": ("behind", "Positions of the feed that the slowest of these subscriptions has not reached yet."),
            "behind_seconds": ("behind_seconds", "Age of the oldest change that one of them has not received."),
        }
        self.pushes = {
            member: Gauge(f"orcid_sync_push_{name}", text, ["state"], registry=registry)
            for member, (name, text) in explained.items()
        }
        self.push_dead = Gauge(
            "orcid_sync_push_dead",
            "Dead letters: messages that were given up and wait for a replay.",
            registry=registry,
        )
        self.push_tries = Counter(
            "orcid_sync_push_tries",
            "Messages sent by this process by outcome: delivered, refused (3xx, 4xx), gone (410), failed (429, 5xx), "
            "unreachable, forbidden (the address must not be reached).",
            ["outcome"],
            registry=registry,
        )
        self.push_seconds = Histogram(
            "orcid_sync_push_seconds",
            "How long receivers took to accept a message.",
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )

    def count_push(self, result: Result) -> None:
        """Count a message that was sent."""
        self.push_tries.labels(result.outcome.value).inc()
        self.push_seconds.observe(result.seconds)

    def show_pushes(self, pushes: Pushes) -> None:
        """Show how pushing goes, over all processes."""
        for gauge in self.pushes.values():
            gauge.clear()
        for group in pushes.groups:
            for member, gauge in self.pushes.items():
                gauge.labels(group.state).set(getattr(group, member))
        self.push_dead.set(pushes.dead)

    def show_queue(self, lanes: Iterable[LaneDepth]) -> None:
        """Show what waits in the queue."""
        for depth in lanes:
            for member, gauge in self.queue.items():
                gauge.labels(depth.lane.name.lower()).set(getattr(depth, member))

    def count_slot(self, lane: Lane, seconds: float) -> None:
        """Count a request that waited so long until it might be sent."""
        self.slot_seconds.labels(lane.name.lower()).observe(seconds)

    def show_pace(self, paces: Iterable[Pace]) -> None:
        """Show how fast the Registry may be asked, for each of our API clients."""
        for pace in paces:
            for member, gauge in self.pace.items():
                if (value := getattr(pace, member)) is not None:
                    gauge.labels(pace.client_id).set(value)

    def show_webhook_health(self, hearing: WebhookHealth) -> None:
        """Show how well we hear of changes."""
        shown: dict[str, dict[str, int]] = {
            "alarm": {kind.value: int(kind in hearing.alarms) for kind in AlarmKind},
            "webhooks_in_doubt": msgspec.structs.asdict(hearing.webhooks),
            "changes_found": {verdict.value: number for verdict, number in hearing.verdicts.items()},
        }
        for name, values in shown.items():
            for kind, value in values.items():
                self.hearing[name].labels(kind).set(value)
        self.failed_tries.set(hearing.failures if hearing.switched_on else 0)
        if hearing.heard_at:
            self.silent_seconds.set((hearing.at - hearing.heard_at).total_seconds())

    def show_consumers(self, consumers: Iterable[Consumer]) -> None:
        """Show how far behind each named consumer of the feed is; who is forgotten is shown no more."""
        for gauge in self.consumers.values():
            gauge.clear()
        for one in consumers:
            for member, gauge in self.consumers.items():
                gauge.labels(one.name).set(getattr(one, member))

    def show_doubts(self, counts: Iterable[DoubtCount]) -> None:
        """Show what is in doubt; a kind of which there is nothing is 0."""
        known = {count.kind: count for count in counts}
        for kind in Kind:
            for member, gauge in self.doubts.items():
                gauge.labels(kind.value).set(getattr(known.get(kind), member, 0))

    def forget_database(self) -> None:
        """Show nothing of what is in the database, rather than what was there before it went away."""
        kinds = (self.queue, self.pace, self.hearing, self.pushes, self.consumers, self.doubts)
        for gauge in (gauge for gauges in kinds for gauge in gauges.values()):
            gauge.clear()
        for gauge in (self.silent_seconds, self.failed_tries, self.push_dead):
            gauge.set(math.nan)  # a gauge without labels cannot be taken away

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
