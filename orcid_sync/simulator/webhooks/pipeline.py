"""The numbers of the way from a change to its notification (contract sections 1.6 and 1.10)."""

import msgspec


class DeliverySettings(msgspec.Struct, kw_only=True):
    """Every number of the pipeline; production's are not public. Seconds are virtual unless said otherwise."""

    indexer_period: float = 60
    indexing_delay: float = 300
    """A record that was passed on waits this long before it is passed on again."""
    indexer_batch: int = 10_000
    hook_period: float = 300
    hook_batch: int = 5_000
    iterations: int = 3
    """Batches in one run of either job."""
    retry_delay: float = 600
    """The n-th retry waits n times this long."""
    max_attempts: int = 25
    timeout: float = 20
    """Real seconds."""
    replica_lag: float = 0
    """Rows written less than this long ago are selected as they were before: calls are made twice."""
    threads: int = 8
    """Calls at a time."""
    broker_down: bool = False
    """True: the indexer passes nothing on."""
