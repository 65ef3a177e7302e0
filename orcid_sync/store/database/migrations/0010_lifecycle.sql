-- What the life of records needs: released holds, tokens that are over, and the way from merged iDs to what they became.

-- Removals that wait for a second read, and what operators say to it (orcid-sync holds).
alter table orcid_sync.queue add column held_removals jsonb;
alter table orcid_sync.queue add column held_released boolean not null default false;
create index queue_held on orcid_sync.queue (held_at) where held_digest is not null;
comment on column orcid_sync.queue.held_removals is 'How many items would go, by section; null if nothing is held.';
comment on column orcid_sync.queue.held_released is 'An operator has agreed to the removals that are held: the next read that says the same applies them without waiting.';
comment on column orcid_sync.queue.body_access is 'The access with which that body, and so what the mirror holds, was read: read-limited or read-public, and the parts of the record of which it showed more than what is public.';
comment on column orcid_sync.queue.unconfirmed_at is 'When the state in unconfirmed was first told; it counts when it is told again long enough after.';

alter table orcid_sync.retired_tokens drop constraint retired_tokens_reason_check;
alter table orcid_sync.retired_tokens add constraint retired_tokens_reason_check
  check (reason in ('replaced', 'disconnected', 'unwanted', 'lost'));
comment on column orcid_sync.retired_tokens.reason is 'replaced by a newer grant, disconnected, unwanted (granted by somebody who was not invited), or lost (refused for long, expired, or ended with its record).';

comment on column orcid_sync.connections.access_state is 'State of the holder''s token: granted, suspect (refused lately), revoked (refused for long, or ended with the record), expired, or public (there is none).';
comment on column orcid.records.withheld is 'What readers are not shown for the time being: limited (our access is in doubt, or over), all (the record is locked, unclaimed, unknown or about to be closed); null: nothing.';

-- Merged records name their successor, which may be merged in its turn. What the mirror does not hold ends the chain;
-- so does a ring, which only iDs can form of which one was read before and one after somebody undid a merger.
create function orcid.canonical_orcid(orcid text) returns text
  language sql stable parallel safe
begin atomic
  with recursive chain (orcid, seen) as (
    select canonical_orcid.orcid, array[canonical_orcid.orcid]
    union all
    select r.primary_orcid::text, c.seen || r.primary_orcid::text
      from chain c join orcid.records r on r.orcid = c.orcid
     where r.primary_orcid is not null and r.primary_orcid <> all (c.seen)
  )
  select c.orcid from chain c order by cardinality(c.seen) desc limit 1;
end;
comment on function orcid.canonical_orcid is 'The iD into which this one was merged in the end, as far as the mirror knows; itself if it was not merged. What was granted for the old iD is not granted for the new one.';
