"""The metrics of one process: their own registry, and labels that are few."""

from datetime import UTC, datetime

import msgspec
import pytest

from orcid_sync.model.sync.schedule import Lane
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.store.feed.consumers import Consumer
from orcid_sync.store.pushes.outbox import Group, Pushes
from orcid_sync.store.sync.pace_and_circuit import Pace
from orcid_sync.store.sync.queue import LaneDepth


def test_two_sets_do_not_meet() -> None:
    one, other = Metrics(), Metrics()
    one.reconciliations.labels("unchanged").inc()
    assert b'orcid_sync_reconciliations_total{outcome="unchanged"} 1.0' in one.render()
    assert b"unchanged" not in other.render()


@pytest.mark.fault("F98")
def test_no_label_can_tell_people_apart() -> None:
    metrics = Metrics()
    names = {name for metric in vars(metrics).values() for name in getattr(metric, "_labelnames", ())}
    names |= {name for gauge in metrics.queue.values() for name in gauge._labelnames}
    names |= {name for gauge in metrics.pace.values() for name in gauge._labelnames}
    names |= {name for gauge in metrics.hearing.values() for name in gauge._labelnames}
    assert names == {"outcome", "lane", "endpoint", "status", "section", "op", "client", "kind"}


def test_a_queue_that_cannot_be_asked_is_not_shown() -> None:
    metrics = Metrics()
    metrics.show_queue([LaneDepth(lane=Lane.CHECK, due=3, leased=1, failing=2, oldest_seconds=4.5)])
    assert b'orcid_sync_queue_due{lane="check"} 3.0' in metrics.render()
    assert b'orcid_sync_queue_oldest_seconds{lane="check"} 4.5' in metrics.render()
    metrics.forget_database()
    assert b"orcid_sync_queue_due{" not in metrics.render()


def test_what_has_no_labels_is_no_number_without_a_database() -> None:
    metrics = Metrics()
    metrics.push_dead.set(3)
    metrics.forget_database()
    for name in ("push_dead", "silent_seconds", "failed_tries"):
        assert f"orcid_sync_{name} NaN".encode() in metrics.render()


def test_the_pace_is_shown_and_what_there_is_none_of_is_not() -> None:
    metrics = Metrics()
    pace = Pace(
        client_id="APP-1",
        ceiling=20,
        rate=7.5,
        slowed_at=None,
        failures=0,
        failing_since=None,
        doubted=False,
        away=False,
        paused_seconds=3,
        silent_seconds=12,
        used_up_seconds=0,
        used=70,
        daily_requests=None,
        day_ends_seconds=3600,
    )
    metrics.show_pace([pace])
    assert b'orcid_sync_pace_rate{client="APP-1"} 7.5' in metrics.render()
    assert b'orcid_sync_pace_pause{client="APP-1"} 12.0' in metrics.render()
    assert b"orcid_sync_pace_left{" not in metrics.render()
    metrics.show_pace([msgspec.structs.replace(pace, daily_requests=100)])
    assert b'orcid_sync_pace_left{client="APP-1"} 30.0' in metrics.render()
    metrics.forget_database()
    assert b"orcid_sync_pace_rate{" not in metrics.render()


NOW = datetime(2026, 1, 2, tzinfo=UTC)
CONSUMER = Consumer(
    name="cris",
    owner="ours",
    cursor="c",
    view="public",
    must_resync=True,
    behind=3,
    behind_seconds=90.5,
    created_at=NOW,
    updated_at=NOW,
)


def test_how_far_a_consumer_is_behind_is_shown_in_changes_and_in_seconds() -> None:
    metrics = Metrics()
    metrics.show_consumers([CONSUMER])
    shown = metrics.render().decode()
    for name, value in (("behind", 3), ("behind_seconds", 90.5), ("must_resync", 1)):
        assert f'orcid_sync_consumer_{name}{{consumer="cris"}} {float(value)}\n' in shown
    metrics.show_consumers([msgspec.structs.replace(CONSUMER, name="other")])
    assert b'{consumer="cris"}' not in metrics.render(), "who is forgotten is shown no more"


def test_how_far_subscriptions_are_behind_is_shown_in_changes_and_in_seconds() -> None:
    metrics = Metrics()
    group = Group(state="failing", number=2, behind=7, behind_seconds=61.5, example="cris")
    metrics.show_pushes(Pushes(groups=[group], dead=4))
    shown = metrics.render().decode()
    for name, value in (("subscriptions", 2), ("behind", 7), ("behind_seconds", 61.5)):
        assert f'orcid_sync_push_{name}{{state="failing"}} {float(value)}\n' in shown
    assert "orcid_sync_push_dead 4.0\n" in shown


def test_waits_are_counted_by_lane() -> None:
    metrics = Metrics()
    metrics.count_slot(Lane.SWEEP, 0.3)
    assert b'orcid_sync_pace_wait_seconds_count{lane="sweep"} 1.0' in metrics.render()
