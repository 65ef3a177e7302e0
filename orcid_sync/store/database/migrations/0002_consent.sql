-- Whom we follow: the permission for each iD and how it was asked for, and the proof of what was consented to and erased.

create table orcid_sync.connections (
  orcid           orcid_sync.orcid_id primary key,
  state           text not null default 'connected' check (state in ('connected', 'disconnecting', 'disconnected')),
  access_state    text not null default 'public' check (access_state in ('granted', 'suspect', 'revoked', 'expired', 'public')),
  connected_at    timestamptz not null default now(),
  disconnected_at timestamptz,
  suspect_since   timestamptz, -- the 401 procedure (contract section 2.6)
  suspect_reason  text check (suspect_reason in ('refused', 'of another iD')),
  refusals        integer not null default 0,
  erased_at       timestamptz
);
create index connections_suspect on orcid_sync.connections (suspect_since) where suspect_since is not null;
create index connections_states on orcid_sync.connections (state, access_state);
comment on table orcid_sync.connections is 'One row per iD that we follow or have followed: the permission to mirror it.';
comment on column orcid_sync.connections.orcid is 'The iD, path form.';
comment on column orcid_sync.connections.state is 'connected: mirrored; disconnecting: the webhook is being removed; disconnected: left alone, its mirror frozen.';
comment on column orcid_sync.connections.access_state is 'State of the holder''s token: granted, suspect (refused lately), revoked (refused for long, or ended with the record), expired, or public (there is none).';
comment on column orcid_sync.connections.connected_at is 'When the iD was connected first or again.';
comment on column orcid_sync.connections.disconnected_at is 'When disconnecting was asked for; null while connected.';
comment on column orcid_sync.connections.suspect_since is 'When the holder''s token was first refused; null while it is not in doubt.';
comment on column orcid_sync.connections.suspect_reason is 'Why it is in doubt: refused (ORCID says that it does not work), or of another iD (ORCID says that it belongs to another record); null while it is not in doubt.';
comment on column orcid_sync.connections.refusals is 'How often in a row the holder''s token was refused while ours was not.';
comment on column orcid_sync.connections.erased_at is 'When everything about the person was erased; null if it was not.';

-- Roles with grants of their own, members of no role of readers, may read people all the same: what lies in orcid_sync is
-- only looked at by those who ask for it. A view asks for the right to all that it names; a function does when it is called.
create function orcid.connection_state(orcid text) returns text
  language sql stable parallel safe
begin atomic
  select c.state from orcid_sync.connections c where c.orcid = connection_state.orcid;
end;
comment on function orcid.connection_state is 'State of the connection: connected, disconnecting or disconnected; null: never connected. For the owner and the roles of readers.';

create table orcid_sync.tokens (
  orcid         orcid_sync.orcid_id primary key references orcid_sync.connections on delete cascade,
  access_token  text not null,
  refresh_token text,
  scopes        text[] not null default '{}',
  shown         text[] not null default '{}',
  granted_at    timestamptz not null default now(),
  expires_at    timestamptz
);
comment on table orcid_sync.tokens is 'The permission tokens that record holders granted, encrypted (AES-256-GCM, bound to the iD and the column).';
comment on column orcid_sync.tokens.orcid is 'The iD whose holder granted the token.';
comment on column orcid_sync.tokens.access_token is 'Ciphertext of the access token.';
comment on column orcid_sync.tokens.refresh_token is 'Ciphertext of the refresh token; null if none was given.';
comment on column orcid_sync.tokens.scopes is 'The scopes that ORCID granted, as it names them (contract section 2.2), or as whoever handed the token to us says.';
comment on column orcid_sync.tokens.shown is 'Parts of the record of which this very token has shown something that is neither public nor our own: what it really shows, whatever its scopes say.';
comment on column orcid_sync.tokens.granted_at is 'When the token was granted or handed to us.';
comment on column orcid_sync.tokens.expires_at is 'When the token ends; ORCID''s usual life is 20 years (contract section 2.7). Null if unknown.';

create table orcid_sync.retired_tokens (
  orcid        orcid_sync.orcid_id not null references orcid_sync.connections on delete cascade,
  number       bigint generated always as identity,
  access_token text not null,
  retired_at   timestamptz not null default now(),
  reason       text not null check (reason in ('replaced', 'disconnected', 'unwanted', 'lost')),
  attempts     integer not null default 0,
  next_try_at  timestamptz,
  error        text,
  primary key (orcid, number)
);
create index retired_tokens_failing on orcid_sync.retired_tokens (orcid) where attempts > 0;
comment on table orcid_sync.retired_tokens is 'Tokens that are not used any more and are to be revoked at ORCID; a row goes when ORCID confirmed it.';
comment on column orcid_sync.retired_tokens.orcid is 'The iD whose holder granted the token.';
comment on column orcid_sync.retired_tokens.number is 'Tells several tokens of one iD apart.';
comment on column orcid_sync.retired_tokens.access_token is 'Ciphertext of the access token, sealed for the column access_token.';
comment on column orcid_sync.retired_tokens.retired_at is 'When it was taken out of use.';
comment on column orcid_sync.retired_tokens.reason is 'replaced by a newer grant, disconnected, unwanted (granted by somebody who was not invited), or lost (refused for long, expired, or ended with its record).';
comment on column orcid_sync.retired_tokens.attempts is 'How often in a row it could not be revoked; the record is read all the same.';
comment on column orcid_sync.retired_tokens.next_try_at is 'When that is tried again; null: with the next reconciliation of the iD.';
comment on column orcid_sync.retired_tokens.error is 'How the last try failed, in words; null: it did not.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Asking people: one invitation per person of the institution, and the ways to ORCID and back that are under way.

create table orcid_sync.invitations (
  number        bigint generated always as identity primary key,
  person_id     text not null unique check (person_id <> ''),
  given_names   text,
  family_names  text,
  email         text,
  orcid         orcid_sync.orcid_id,
  lang          text,
  invited_at    timestamptz not null default now(),
  expires_at    timestamptz not null,
  opened_at     timestamptz,
  denied_at     timestamptz,
  granted_at    timestamptz,
  outcome       text check (outcome in ('granted', 'denied', 'different', 'used', 'taken', 'incomplete', 'refused', 'unavailable', 'erased')),
  outcome_at    timestamptz,
  granted_orcid orcid_sync.orcid_id unique,
  name          text
);
create index invitations_orcid on orcid_sync.invitations (orcid) where orcid is not null;
comment on table orcid_sync.invitations is 'Who was invited to connect an iD, and what became of it. The links are signed, not stored.';
comment on column orcid_sync.invitations.number is 'Number of the invitation; stands in its link.';
comment on column orcid_sync.invitations.person_id is 'The institution''s own id of the person; stays when the person is erased, so that nobody is asked again by mistake.';
comment on column orcid_sync.invitations.given_names is 'For the greeting, and for the form of whoever registers at ORCID. Personal: removed on erasure.';
comment on column orcid_sync.invitations.family_names is 'As given_names.';
comment on column orcid_sync.invitations.email is 'For ORCID''s sign-in form. Personal: removed on erasure.';
comment on column orcid_sync.invitations.orcid is 'The iD that the institution expects; null: whichever the person signs in with. Removed on erasure.';
comment on column orcid_sync.invitations.lang is 'Language of the pages, as ORCID names it (contract section 2.4); null: as the browser asks.';
comment on column orcid_sync.invitations.invited_at is 'When the first link was made.';
comment on column orcid_sync.invitations.expires_at is 'When the latest link ends.';
comment on column orcid_sync.invitations.opened_at is 'When a link was first opened.';
comment on column orcid_sync.invitations.denied_at is 'When the person last said no at ORCID.';
comment on column orcid_sync.invitations.granted_at is 'When the person last said yes at ORCID and was connected.';
comment on column orcid_sync.invitations.outcome is 'How the last way to ORCID and back ended: granted; denied; different (another iD than expected); used (the invitation is connected with another iD); taken (the iD is connected with another person_id); incomplete (not all that was asked for); refused (ORCID did not take the code); unavailable (ORCID away, outcome unknown); erased.';
comment on column orcid_sync.invitations.outcome_at is 'When that was.';
comment on column orcid_sync.invitations.granted_orcid is 'The iD that the person signed in with: one person_id for each iD (fault F64). Removed on erasure.';
comment on column orcid_sync.invitations.name is 'The name that ORCID gave with the grant (contract section 2.4). Personal: removed on erasure.';

create table orcid_sync.consent_flows (
  state_hash   bytea primary key,
  browser_hash bytea not null,
  invitation   bigint not null references orcid_sync.invitations on delete cascade,
  expires_at   timestamptz not null,
  purpose      text not null default 'connect' check (purpose in ('connect', 'leave')),
  began_at     timestamptz not null default now()
);
create index consent_flows_began on orcid_sync.consent_flows (began_at);
create index consent_flows_invitation on orcid_sync.consent_flows (invitation);
comment on table orcid_sync.consent_flows is 'Browsers that were sent to ORCID and have not come back: minutes old, used once (faults F69, F70).';
comment on column orcid_sync.consent_flows.state_hash is 'SHA-256 of the state in the address at ORCID.';
comment on column orcid_sync.consent_flows.browser_hash is 'SHA-256 of the cookie of the browser that may come back with it.';
comment on column orcid_sync.consent_flows.invitation is 'The invitation whose link was used.';
comment on column orcid_sync.consent_flows.expires_at is 'End of that link, from which it can be made again.';
comment on column orcid_sync.consent_flows.purpose is 'What the browser was sent for: connect (to allow us to read the record), or leave (only to show who they are, to have everything deleted after they ended the connection).';
comment on column orcid_sync.consent_flows.began_at is 'When the browser was sent to ORCID.';

create view orcid_sync.invitation_states with (security_invoker = true) as
  select i.number, i.person_id,
         case
           when i.outcome = 'erased' then 'erased'
           when c.state = 'connected' then 'connected'
           when i.granted_orcid is not null then 'disconnected'
           when i.denied_at is not null then 'denied'
           when i.expires_at <= now() then 'expired'
           when i.opened_at is not null then 'opened'
           else 'invited'
         end as state,
         i.granted_orcid, i.outcome, i.outcome_at, i.invited_at, i.opened_at, i.expires_at
    from orcid_sync.invitations as i
    left join orcid_sync.connections as c on c.orcid = i.granted_orcid;
comment on view orcid_sync.invitation_states is 'Where each invitation stands, without names and addresses.';
comment on column orcid_sync.invitation_states.number is 'Number of the invitation.';
comment on column orcid_sync.invitation_states.person_id is 'The institution''s own id of the person.';
comment on column orcid_sync.invitation_states.state is 'invited (a link was made), opened, denied (said no), expired, connected, disconnected (said yes, and ended it) or erased.';
comment on column orcid_sync.invitation_states.granted_orcid is 'The iD that the person signed in with.';
comment on column orcid_sync.invitation_states.outcome is 'How the last way to ORCID and back ended.';
comment on column orcid_sync.invitation_states.outcome_at is 'When that was.';
comment on column orcid_sync.invitation_states.invited_at is 'When the first link was made.';
comment on column orcid_sync.invitation_states.opened_at is 'When a link was first opened.';
comment on column orcid_sync.invitation_states.expires_at is 'When the latest link ends.';

-- Who might be asked next: record holders at the institution whom nobody has connected.
create table orcid_sync.discoveries (
  orcid         orcid_sync.orcid_id primary key,
  found_by      text[] not null default '{}',
  name          text,
  evidence      jsonb,
  first_seen_at timestamptz not null default now(),
  last_seen_at  timestamptz not null default now(),
  examined_at   timestamptz,
  told_at       timestamptz,
  dismissed_at  timestamptz
);
comment on table orcid_sync.discoveries is 'Record holders whom ORCID''s search finds by the institution''s identifiers and domains, and who are not connected. From public data only, and only as long as they are found; never those who left, said no or were erased. To ask people, not to follow them.';
comment on column orcid_sync.discoveries.orcid is 'The iD.';
comment on column orcid_sync.discoveries.found_by is 'The identifiers, domains (@example.edu) and names by which the search found it last.';
comment on column orcid_sync.discoveries.name is 'The public name. Personal: removed on dismissal and erasure.';
comment on column orcid_sync.discoveries.evidence is 'What the public record says: affiliations to the institution with years, domains of addresses, how many works are mirrored, some of their DOIs. Null until the record was read, and of those whose record says nothing of the kind. Personal: removed as the name is.';
comment on column orcid_sync.discoveries.first_seen_at is 'When the search first found it.';
comment on column orcid_sync.discoveries.last_seen_at is 'When the search last found it.';
comment on column orcid_sync.discoveries.examined_at is 'When the public record was last read for evidence; null: it waits.';
comment on column orcid_sync.discoveries.told_at is 'When it was first listed; null: it is news.';
comment on column orcid_sync.discoveries.dismissed_at is 'When an operator said not to suggest it any more. Stays, so that it is not; null otherwise.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Proof: who consented to what, and that what was to be erased was erased. Two chains of hashes (model/consent/hash_chain.py); each
-- entry's hash covers the one before it, so that changing the past shows. They have no foreign keys: they outlive all.

create table orcid_sync.ledger_heads (
  ledger text primary key check (ledger in ('consents', 'erasures')),
  number bigint not null default 0,
  hash   bytea not null default decode(repeat('00', 32), 'hex'),
  key    bytea not null default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')
);
insert into orcid_sync.ledger_heads (ledger) values ('consents'), ('erasures');
comment on table orcid_sync.ledger_heads is 'The ends of the two chains. Locked from taking a number until the commit, so that the order of the entries is that of the commits.';
comment on column orcid_sync.ledger_heads.ledger is 'consents or erasures.';
comment on column orcid_sync.ledger_heads.number is 'Number of the last entry; 0 if there is none.';
comment on column orcid_sync.ledger_heads.hash is 'Hash of the last entry; 32 zero bytes if there is none.';
comment on column orcid_sync.ledger_heads.key is 'Random key of the pseudonyms that stand for iDs in files outside the database. It is in every backup that could bring a person back.';

create function orcid_sync.refuse() returns trigger
  language plpgsql
as $$
begin
  raise exception 'entries of % are only added, never changed or removed', tg_table_name
    using errcode = 'restrict_violation';
end
$$;
comment on function orcid_sync.refuse is 'Trigger of tables to which rows are only added.';

create table orcid_sync.consents (
  number  bigint primary key,
  orcid   orcid_sync.orcid_id,
  event   text not null check (event in ('granted', 'denied', 'narrowed', 'widened', 'revoked', 'expired', 'disconnected', 'erased')),
  by      text not null check (by in ('holder', 'operator', 'registry')),
  learnt  text not null,
  scopes  text[] not null default '{}',
  facts   jsonb not null default '{}',
  at      timestamptz not null,
  hash    bytea not null
);
create index consents_orcid on orcid_sync.consents (orcid, number);
-- Always: also where triggers are switched off for the session (session_replication_role).
create trigger only_additions before update or delete or truncate on orcid_sync.consents for each statement execute function orcid_sync.refuse();
alter table orcid_sync.consents enable always trigger only_additions;
comment on table orcid_sync.consents is 'The consent ledger: what the holders of records allowed, and when and how it ended. Entries are only added.';
comment on column orcid_sync.consents.number is 'Position in the chain: 1, 2, 3, … in the order of commits.';
comment on column orcid_sync.consents.orcid is 'The iD; null if it is not known (somebody said no before signing in).';
comment on column orcid_sync.consents.event is 'granted, denied, narrowed (fewer scopes than before), widened, revoked, expired, disconnected or erased.';
comment on column orcid_sync.consents.by is 'Whose doing it was: holder, operator or registry.';
comment on column orcid_sync.consents.learnt is 'How we learnt of it: connect-page, token-file, refused-token, command, disconnect-page, erasure-log, …';
comment on column orcid_sync.consents.scopes is 'The scopes that are allowed from then on.';
comment on column orcid_sync.consents.facts is 'What else belongs to it: numbers and short words, never a name, an address or a token.';
comment on column orcid_sync.consents.at is 'When it was written down.';
comment on column orcid_sync.consents.hash is 'SHA-256 of the hash before and the canonical text of this entry.';

create table orcid_sync.erasures (
  number        bigint primary key,
  orcid         orcid_sync.orcid_id not null,
  by            text not null check (by in ('holder', 'operator', 'registry')),
  learnt        text not null,
  deleted       jsonb not null,
  consents_hash bytea not null,
  at            timestamptz not null,
  hash          bytea not null
);
create index erasures_orcid on orcid_sync.erasures (orcid, number);
create trigger only_additions before update or delete or truncate on orcid_sync.erasures for each statement execute function orcid_sync.refuse();
alter table orcid_sync.erasures enable always trigger only_additions;
comment on table orcid_sync.erasures is 'Certificates of erasure: what was deleted where. Entries are only added.';
comment on column orcid_sync.erasures.number is 'Position in the chain: 1, 2, 3, …';
comment on column orcid_sync.erasures.orcid is 'The iD whose data were erased; all that is left of it.';
comment on column orcid_sync.erasures.by is 'Whose wish it was: holder, operator or registry.';
comment on column orcid_sync.erasures.learnt is 'How we learnt of it: command, disconnect-page, erasure-log, …';
comment on column orcid_sync.erasures.deleted is 'How many rows were deleted or blanked, by table.';
comment on column orcid_sync.erasures.consents_hash is 'Hash of the entry "erased" in the consent ledger: the certificate vouches for that ledger, too.';
comment on column orcid_sync.erasures.at is 'When it was done.';
comment on column orcid_sync.erasures.hash is 'SHA-256 of the hash before and the canonical text of this certificate.';

-- ---------------------------------------------------------------------------------------------------------------------
-- What was forgotten, but may still lie in PostgreSQL's own files (fault F67).

create table orcid_sync.residue (
  number bigint generated always as identity primary key,
  at     timestamptz not null default clock_timestamp()
);
comment on table orcid_sync.residue is 'Forgettings after which the deleted rows have not been taken out of the files yet: a row for each, written by the forgetting transaction, and removed when VACUUM has run after no snapshot could see them any more. Says nothing of whom.';
comment on column orcid_sync.residue.number is 'Number of the forgetting.';
comment on column orcid_sync.residue.at is 'When it was done.';
