-- Records may come from files, too (orcid-sync bootstrap).

comment on column orcid.changes.cause is 'What led to the change: a read after notification, operator, first-load, check or second-look; erasure; or bootstrap: the record came from a file, such as ORCID''s public data file, and is as old as that.';
comment on column orcid.change_feed.cause is 'What led to the change; bootstrap: the record came from a file.';
comment on table orcid.records is 'One row per mirrored iD: the state of the record and its history block. Those without a row in freshness are mirrored from a file and not followed.';
comment on table orcid_sync.runs is 'Runs of the scheduled jobs, and loads from files (bootstrap): the proof that they ran.';
comment on column orcid_sync.runs.outcome is 'Counts that the job reports; of a load, also how many files of which archive are dealt with, from where it goes on if it was interrupted.';
