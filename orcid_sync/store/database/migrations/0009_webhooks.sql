-- Webhooks by generation: what the callback addresses were made of. Secrets and public addresses can be replaced while
-- both the old and the new ones are called, and a webhook that ORCID has given up is revived.

create table orcid_sync.callback_generations (
  number          integer generated always as identity primary key,
  key_version     smallint not null,
  public_url      text not null,
  proof           bytea,
  derivable       boolean not null default false,
  present_since   timestamptz,
  first_used_at   timestamptz not null default now(),
  first_called_at timestamptz,
  last_called_at  timestamptz,
  given_up_at     timestamptz,
  unique (key_version, public_url)
);
create unique index callback_generations_present on orcid_sync.callback_generations ((true)) where present_since is not null;
comment on table orcid_sync.callback_generations is 'What the addresses that ORCID calls are made of: a version of the secret and a public address. A few rows.';
comment on column orcid_sync.callback_generations.number is 'Number of the generation; a later one has a higher number.';
comment on column orcid_sync.callback_generations.key_version is 'Version of the secret that its addresses are derived from (webhook_key_version).';
comment on column orcid_sync.callback_generations.public_url is 'What its addresses begin with. Empty: of before it was written down; the next process that starts fills it in.';
comment on column orcid_sync.callback_generations.proof is 'Tells whether a secret is the one that these addresses were derived from: a few bytes of a hash under it. Null: not known yet.';
comment on column orcid_sync.callback_generations.derivable is 'Whether the process that started last knows the secret. If nobody does, its webhooks cannot be removed any more.';
comment on column orcid_sync.callback_generations.present_since is 'Since when new webhooks are registered under it; null for all others, and for all while webhooks are switched off.';
comment on column orcid_sync.callback_generations.first_used_at is 'When it was used first.';
comment on column orcid_sync.callback_generations.first_called_at is 'When ORCID called one of its addresses for the first time; null: never.';
comment on column orcid_sync.callback_generations.last_called_at is 'When ORCID last called one of its addresses, to within some seconds.';
comment on column orcid_sync.callback_generations.given_up_at is 'When an operator decided that its webhooks go although the present generation was not seen working; null: they wait for that.';

create table orcid_sync.webhooks (
  orcid          orcid_sync.orcid_id not null references orcid_sync.connections on delete cascade,
  state          text not null check (state in ('registering', 'active', 'verifying', 'reviving', 'removing')),
  requested_at   timestamptz not null default now(),
  registered_at  timestamptz,
  generation     integer not null references orcid_sync.callback_generations,
  last_called_at timestamptz,
  verified_at    timestamptz,
  missed         integer not null default 0,
  suspect_since  timestamptz,
  awaited_since  timestamptz,
  attempts       integer not null default 0,
  next_try_at    timestamptz,
  error          text,
  primary key (orcid, generation)
);
create index webhooks_generation on orcid_sync.webhooks (generation);
create index webhooks_unsettled on orcid_sync.webhooks (state) where state <> 'active';
create index webhooks_failing on orcid_sync.webhooks (orcid) where attempts > 0;
create index webhooks_suspect on orcid_sync.webhooks (suspect_since) where suspect_since is not null;
create index webhooks_awaited on orcid_sync.webhooks (awaited_since) where awaited_since is not null;
-- Which of them were not seen alive since a moment.
create index webhooks_alive on orcid_sync.webhooks (coalesce(greatest(registered_at, last_called_at), '-infinity'));
comment on table orcid_sync.webhooks is 'Every webhook that may exist at ORCID: a row is written before ORCID is told and deleted after it confirmed the removal. ORCID has no list call (contract section 1.1). One of the present generation for each connected iD is what we want.';
comment on column orcid_sync.webhooks.orcid is 'The iD that the webhook watches.';
comment on column orcid_sync.webhooks.state is 'registering: the PUT may or may not have arrived; active: ORCID confirmed it; verifying: active, and to be registered again to see whether it is there; reviving: to be removed and registered again, of which anything may have happened; removing: the DELETE may or may not have arrived.';
comment on column orcid_sync.webhooks.requested_at is 'When the present state was entered.';
comment on column orcid_sync.webhooks.registered_at is 'When ORCID last created it, as far as we know: it was alive then.';
comment on column orcid_sync.webhooks.generation is 'What the callback address was made of.';
comment on column orcid_sync.webhooks.last_called_at is 'When it last called us, by the reconciliation that followed: it was alive then. Null: never.';
comment on column orcid_sync.webhooks.verified_at is 'When ORCID last said that it was there, or created it again (then registered_at is the same).';
comment on column orcid_sync.webhooks.missed is 'Changes in a row that were found without it although it should have announced them.';
comment on column orcid_sync.webhooks.suspect_since is 'Since when it is suspected of being dead; null: it is not.';
comment on column orcid_sync.webhooks.awaited_since is 'ORCID''s date of a change that was found before any notification of it, which may still come; null: none is awaited.';
comment on column orcid_sync.webhooks.attempts is 'How often in a row what its state says could not be done at ORCID; the record is read all the same.';
comment on column orcid_sync.webhooks.next_try_at is 'When that is tried again; null: with the next reconciliation of the iD.';
comment on column orcid_sync.webhooks.error is 'How the last try failed, in words; null: it did not.';

create function orcid_sync.webhook_work(overlap interval)
  returns table (orcid text, generation integer, act text, state text, requested_at timestamptz)
  language sql stable parallel safe
begin atomic
  -- What model/webhooks/registration.py decides for one iD, for all of them.
  with present as (
    select g.number, coalesce(g.last_called_at >= g.present_since, false) as works
      from orcid_sync.callback_generations as g
     where g.present_since is not null
  )
  select c.orcid::text, p.number, 'register', null::text, null::timestamptz
    from present as p
   cross join orcid_sync.connections as c
   where c.state = 'connected'
     and not exists (select from orcid_sync.webhooks as w where w.orcid = c.orcid and w.generation = p.number)
     and not exists (select from orcid.records as r where r.orcid = c.orcid and r.state = 'deprecated')
  union all
  select w.orcid::text, w.generation,
         case
           when not g.derivable then 'lost'
           when w.generation = p.number and wanted.yes then
             case w.state when 'registering' then 'register' when 'verifying' then 'verify' else 'revive' end
           when w.state = 'removing' or not wanted.yes then 'remove'
           when (p.works or g.given_up_at is not null) and newest.state = 'active'
                and newest.registered_at <= now() - webhook_work.overlap then 'remove'
           else 'wait'
         end,
         w.state, w.requested_at
    from orcid_sync.webhooks as w
    join orcid_sync.callback_generations as g on g.number = w.generation
    join orcid_sync.connections as c on c.orcid = w.orcid
    left join present as p on true
    left join orcid_sync.webhooks as newest on newest.orcid = w.orcid and newest.generation = p.number
   cross join lateral (
     select c.state = 'connected' and p.number is not null
            and not exists (select from orcid.records as r where r.orcid = w.orcid and r.state = 'deprecated') as yes
   ) as wanted
   where w.state <> 'active' or w.generation is distinct from p.number or not wanted.yes;
end;
comment on function orcid_sync.webhook_work is 'What is to be done so that ORCID has the webhooks that it should have: register, verify, revive, remove; wait: an older one, kept until the present generation was seen working and this iD''s has stood for the overlap; lost: it cannot be removed, for nobody knows its secret.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Webhooks die without a word: what tells of it. When notifications could be taken at all, which changes no webhook
-- announced, and what was alarming.

create table orcid_sync.intake_hours (
  process       text not null,
  alive_from    timestamptz not null,
  alive_until   timestamptz not null,
  notifications bigint not null default 0,
  heard_at      timestamptz,
  primary key (process, alive_from)
);
create index intake_hours_until on orcid_sync.intake_hours (alive_until);
comment on table orcid_sync.intake_hours is 'When notifications could be taken: each process with a public listener says so every 30 seconds, on the connections that the notifications take. Gaps over all processes are the times in which ORCID was answered by nobody. Kept for 60 days.';
comment on column orcid_sync.intake_hours.process is 'Chosen by chance when the process started.';
comment on column orcid_sync.intake_hours.alive_from is 'Since when the process could take notifications without a pause; a new row begins with each hour (UTC) and after each pause.';
comment on column orcid_sync.intake_hours.alive_until is 'When it said so last.';
comment on column orcid_sync.intake_hours.notifications is 'Notifications acknowledged in that time.';
comment on column orcid_sync.intake_hours.heard_at is 'When one came last, to within 30 seconds; null: none.';

create table orcid_sync.evidence (
  day          date primary key,
  announced    bigint not null default 0,
  within_grace bigint not null default 0,
  missed       bigint not null default 0
);
comment on table orcid_sync.evidence is 'How changes of records were found, by the day (UTC): what ORCID''s webhooks are worth. Counted once for each read that found some; first loads, second looks and what ORCID never announces are left out. Kept for a year.';
comment on column orcid_sync.evidence.day is 'The day of the verdict.';
comment on column orcid_sync.evidence.announced is 'A notification told of the change before it was found.';
comment on column orcid_sync.evidence.within_grace is 'The change was found before its notification, which came in time (delivery_grace_hours).';
comment on column orcid_sync.evidence.missed is 'No notification came in time.';

create table orcid_sync.alarms (
  kind     text not null check (kind in ('outage', 'silence', 'canary')),
  began_at timestamptz not null,
  ended_at timestamptz,
  primary key (kind, began_at)
);
create unique index alarms_open on orcid_sync.alarms (kind) where ended_at is null;
comment on table orcid_sync.alarms is 'Times in which notifications did not come as they should. A silence that has ended counts as an outage: nobody knows what ORCID tried meanwhile.';
comment on column orcid_sync.alarms.kind is 'outage: no listener was alive for so long that webhooks may be lost; silence: none of all webhooks called for unusually long; canary: the record canary_orcid was not heard of.';
comment on column orcid_sync.alarms.began_at is 'Since when nothing was heard, or could be.';
comment on column orcid_sync.alarms.ended_at is 'When that was over; null: it lasts.';
