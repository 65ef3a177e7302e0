-- Invitations, and the ways to ORCID and back that are under way.

-- name: invite
-- Each person once, however often the file is repeated. Who is connected keeps what is known; who has withdrawn is asked
-- again only if that is wanted. `expires_at` is null for those who get no link.
with given as materialized (
  select g.*
    from unnest(
           :person_ids::text[], :given_names::text[], :family_names::text[], :emails::text[], :orcids::text[],
           :langs::text[]
         ) as g (person_id, given_names, family_names, email, orcid, lang)
), before as materialized (
  select i.number, i.person_id, i.granted_orcid,
         case
           when i.outcome = 'erased' then 'erased'
           when i.granted_orcid is null then null
           when c.state = 'connected' then 'connected'
           else 'disconnected'
         end as ended
    from given
    join orcid_sync.invitations as i using (person_id)
    left join orcid_sync.connections as c on c.orcid = i.granted_orcid
), invited as (
  insert into orcid_sync.invitations as i (person_id, given_names, family_names, email, orcid, lang, expires_at)
  select given.person_id, given.given_names, given.family_names, given.email, given.orcid, given.lang, :expires_at::timestamptz
    from given
    left join before using (person_id)
   where before.ended is null or (:again::boolean and before.ended <> 'connected')
   order by given.person_id
  on conflict (person_id) do update
     set given_names = excluded.given_names,
         family_names = excluded.family_names,
         email = excluded.email,
         orcid = excluded.orcid,
         lang = excluded.lang,
         outcome = nullif(i.outcome, 'erased'),
         expires_at = excluded.expires_at
  returning i.number, i.person_id, i.expires_at
)
select given.person_id, coalesce(invited.number, before.number) as number, invited.expires_at,
       coalesce(before.ended, case when before.number is null then 'new' else 'repeated' end) as standing,
       before.granted_orcid
  from given
  left join before using (person_id)
  left join invited using (person_id);

-- name: load^
select i.number, i.person_id, i.given_names, i.family_names, i.email, i.orcid, i.lang, i.expires_at, i.opened_at,
       i.granted_orcid, i.name, coalesce(c.state, '') as connection_state
  from orcid_sync.invitations as i
  left join orcid_sync.connections as c on c.orcid = i.granted_orcid
 where i.number = :number;

-- name: note_opened!
update orcid_sync.invitations set opened_at = now() where number = :number and opened_at is null;

-- name: begin_flow!
-- Whoever begins sweeps away what others have left lying.
with swept as (
  delete from orcid_sync.consent_flows where began_at < now() - :lasts::interval
)
insert into orcid_sync.consent_flows (state_hash, browser_hash, invitation, expires_at, purpose)
values (:state_hash, :browser_hash, :invitation, :expires_at, :purpose);

-- name: take_flow^
-- Deleted by whoever comes first, whatever becomes of it: a state is good for one return (fault F70).
delete from orcid_sync.consent_flows
 where state_hash = :state_hash
returning browser_hash, invitation, expires_at, purpose, began_at >= now() - :lasts::interval as in_time;

-- name: lock_orcid!
-- Grants of one iD come one after the other, also when it has no row yet that could be locked.
select pg_advisory_xact_lock(hashtextextended('orcid_sync|' || :orcid::text, 0));

-- name: lock_row!
-- The queue row comes first, as everywhere; who is new has none, and then nobody else holds anything of the iD.
select from orcid_sync.queue where orcid = :orcid for no key update;

-- name: lock_invitation!
-- One grant of an invitation after the other, too.
select from orcid_sync.invitations where number = :number for no key update;

-- name: standing^
-- What decides whether this iD may be connected by this invitation.
select i.orcid as expected,
       (select r.primary_orcid from orcid.records as r where r.orcid = i.orcid) as expected_primary,
       i.granted_orcid as bound,
       coalesce(c.state = 'connected', false) as bound_connected,
       (select r.primary_orcid from orcid.records as r where r.orcid = i.granted_orcid) as bound_primary,
       other.number as holder,
       exists (
         select from orcid_sync.connections as own where own.orcid = :orcid and own.state = 'connected'
       ) as connected
  from orcid_sync.invitations as i
  left join orcid_sync.connections as c on c.orcid = i.granted_orcid
  left join orcid_sync.invitations as other on other.granted_orcid = :orcid and other.number <> i.number
 where i.number = :number;

-- name: release!
-- The person_id with which the iD was connected before, and is no more.
update orcid_sync.invitations set granted_orcid = null where granted_orcid = :orcid and number <> :number;

-- name: bind!
update orcid_sync.invitations
   set granted_orcid = :orcid, name = nullif(:name, ''), granted_at = now(), outcome = 'granted', outcome_at = now()
 where number = :number;

-- name: note!
update orcid_sync.invitations
   set outcome = :outcome,
       outcome_at = now(),
       denied_at = case when :outcome = 'denied' then now() else denied_at end
 where number = :number;

-- name: forget_person!
-- All that is personal; the institution's own id stays, so that a repeated file does not ask the person again.
update orcid_sync.invitations
   set given_names = null, family_names = null, email = null, orcid = null, lang = null, granted_orcid = null,
       name = null, outcome = 'erased', outcome_at = now()
 where granted_orcid = :orcid or orcid = :orcid;

-- name: funnel^
select count(*) as invited, count(opened_at) as opened, count(granted_at) as granted, count(denied_at) as denied
  from orcid_sync.invitations;

-- name: states
select state, count(*) as number from orcid_sync.invitation_states group by state;

-- name: outcomes
select outcome, count(*) as number from orcid_sync.invitations where outcome is not null group by outcome;

-- name: list_invitations
select number, person_id, state, granted_orcid, outcome, outcome_at, invited_at, opened_at, expires_at
  from orcid_sync.invitation_states
 where number > :after and (:state::text is null or state = :state::text)
 order by number
 limit :limit::bigint;
