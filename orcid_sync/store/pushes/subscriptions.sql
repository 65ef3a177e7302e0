-- Subscriptions as people manage them. What sends is in outbox.sql.

-- name: add^
-- begins: the position after which it wants the feed; null: from now on.
with added as (
  insert into orcid_sync.subscriptions (name, url, origin, view, sections, operations, organisations, external_ids, minor,
                                        contents, when_dead)
  values (:name, :url, :origin, :view, :sections::text[], :operations::text[], :organisations::text[],
          :external_ids::text[], :minor, :contents, :when_dead)
  on conflict (name) do nothing
  returning id
), begun as (
  insert into orcid_sync.push_progress (subscription_id, epoch, reached)
  select added.id, h.epoch, coalesce(:begins::bigint, h.last) from added, orcid_sync.feed_head as h
  returning subscription_id, reached
)
select subscription_id as id, reached from begun;

-- name: edit$
-- What is being sent is begun anew, for it may say something else now.
with edited as (
  update orcid_sync.subscriptions
     set url = :url, origin = :origin, view = :view, sections = :sections::text[], operations = :operations::text[],
         organisations = :organisations::text[], external_ids = :external_ids::text[], minor = :minor,
         contents = :contents, when_dead = :when_dead, revision = revision + 1
   where name = :name
  returning id
), ranges as (
  update orcid_sync.push_ranges set sending_to = null where subscription_id in (select id from edited)
)
update orcid_sync.push_progress
   set sending_to = null, attempts = 0, failing_since = null, last_error = null, due_at = now(),
       lease_no = lease_no + 1, lease_until = '-infinity'
 where subscription_id in (select id from edited)
returning true;

-- name: remove$
with gone as (
  delete from orcid_sync.subscriptions where name = :name returning origin
), circuit as (
  delete from orcid_sync.push_endpoints where origin in (select origin from gone)
)
select true from gone;

-- name: all_subscriptions
select s.id, s.name, s.url, s.view, s.sections, s.operations, s.organisations, s.external_ids, s.minor, s.contents,
       s.when_dead, s.created_at, p.paused, p.epoch::text as epoch, p.reached, p.attempts, p.due_at, p.failing_since,
       p.last_error, p.delivered_at, h.epoch = p.epoch and h.last >= p.reached as current,
       greatest(h.last - p.reached, 0) as behind,
       case when h.last > p.reached then c.at end as behind_since,
       (select count(*) from orcid_sync.push_ranges as r where r.subscription_id = s.id and r.state = 'dead') as dead,
       (select count(*) from orcid_sync.push_ranges as r where r.subscription_id = s.id and r.state = 'replaying')
         as replaying,
       (select count(*) from orcid_sync.subscription_secrets as k
         where k.subscription_id = s.id and (k.ends_at is null or k.ends_at > now())) as secrets,
       e.paused_until as endpoint_paused_until, e.failures as endpoint_failures
  from orcid_sync.subscriptions as s
  join orcid_sync.push_progress as p on p.subscription_id = s.id
 cross join orcid_sync.feed_head as h
  left join orcid.changes as c on c.seq = p.reached + 1
  left join orcid_sync.push_endpoints as e on e.origin = s.origin and e.failures >= :circuit
 where :name::text is null or s.name = :name
 order by s.name;

-- name: pause$
-- The holder of a lease may still deliver what it has begun.
update orcid_sync.push_progress as p
   set paused = 'by hand'
  from orcid_sync.subscriptions as s
 where s.id = p.subscription_id and s.name = :name
returning true;

-- name: resume$
-- What stopped it is sent first: messages that died while it was not to go on without them.
with resumed as (
  update orcid_sync.push_progress as p
     set paused = null, attempts = 0, due_at = now(), last_error = null, failing_since = null
    from orcid_sync.subscriptions as s
   where s.id = p.subscription_id and s.name = :name
  returning p.subscription_id, s.when_dead, s.origin
), circuit as (
  delete from orcid_sync.push_endpoints where origin in (select origin from resumed)
), replayed as (
  update orcid_sync.push_ranges as r
     set state = 'replaying'
    from resumed
   where r.subscription_id = resumed.subscription_id and resumed.when_dead = 'pause' and r.state = 'dead'
)
select true from resumed;

-- name: add_secret!
insert into orcid_sync.subscription_secrets (subscription_id, number, secret)
select :id::integer,
       coalesce((select max(k.number) from orcid_sync.subscription_secrets as k where k.subscription_id = :id::integer), 0) + 1,
       :secret;

-- name: end_secrets!
-- Those that are replaced go on signing for a while.
update orcid_sync.subscription_secrets
   set ends_at = now() + :overlap::interval
 where subscription_id = :id and ends_at is null;

-- name: drop_ended_secrets$
with dropped as (
  delete from orcid_sync.subscription_secrets where ends_at <= now() returning 1
)
select count(*) from dropped;

-- name: secrets
select secret
  from orcid_sync.subscription_secrets
 where subscription_id = :id and (ends_at is null or ends_at > now())
 order by number desc;
