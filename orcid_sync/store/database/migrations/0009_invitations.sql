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
  began_at     timestamptz not null default now()
);
create index consent_flows_began on orcid_sync.consent_flows (began_at);
create index consent_flows_invitation on orcid_sync.consent_flows (invitation);
comment on table orcid_sync.consent_flows is 'Browsers that were sent to ORCID and have not come back: minutes old, used once (faults F69, F70).';
comment on column orcid_sync.consent_flows.state_hash is 'SHA-256 of the state in the address at ORCID.';
comment on column orcid_sync.consent_flows.browser_hash is 'SHA-256 of the cookie of the browser that may come back with it.';
comment on column orcid_sync.consent_flows.invitation is 'The invitation whose link was used.';
comment on column orcid_sync.consent_flows.expires_at is 'End of that link, from which it can be made again.';
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
