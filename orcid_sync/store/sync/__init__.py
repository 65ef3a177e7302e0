"""The queue and what belongs to the loop: leases, pace, access, holds, the journal of reads, runs of jobs."""
