-- Who may ask through the internal listener, and how far the named consumers of the change feed have come.

create table orcid_sync.api_tokens (
  hash         bytea primary key check (octet_length(hash) = 32),
  name         text not null,
  scopes       text[] not null check (scopes <> '{}' and scopes <@ '{read-public,read-limited,admin}'),
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  last_used_at timestamptz
);
create index api_tokens_name on orcid_sync.api_tokens (name);
comment on table orcid_sync.api_tokens is 'Bearer tokens of the internal listener. A row goes when its token is revoked.';
comment on column orcid_sync.api_tokens.hash is 'SHA-256 of the token. It has 256 random bits: nobody can guess it, so that a slow hash would protect nothing.';
comment on column orcid_sync.api_tokens.name is 'What the token is called. Two may share a name while one takes the other''s place.';
comment on column orcid_sync.api_tokens.scopes is 'read-public, read-limited, admin; each one includes those before it.';
comment on column orcid_sync.api_tokens.created_at is 'When it was made.';
comment on column orcid_sync.api_tokens.expires_at is 'When it ends; null: never.';
comment on column orcid_sync.api_tokens.last_used_at is 'When it was last shown, to within a minute; null: never.';

create table orcid_sync.api_sessions (
  hash       bytea primary key check (octet_length(hash) = 32),
  token_hash bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create index api_sessions_token on orcid_sync.api_sessions (token_hash);
comment on table orcid_sync.api_sessions is 'Browsers that have shown a token on the pages of the internal listener. They may what the token may, as long as it lives.';
comment on column orcid_sync.api_sessions.hash is 'SHA-256 of the cookie, which has 256 random bits.';
comment on column orcid_sync.api_sessions.token_hash is 'SHA-256 of the token that was shown: one of api_tokens, or the setting internal_token.';
comment on column orcid_sync.api_sessions.created_at is 'When it was shown.';
comment on column orcid_sync.api_sessions.expires_at is 'When it has to be shown again.';

create table orcid_sync.consumers (
  name       text primary key,
  owner      text not null,
  epoch      uuid not null,
  seq        bigint not null,
  view       text not null check (view in ('public', 'limited')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table orcid_sync.consumers is 'Programs that follow the change feed over HTTP and keep their position here.';
comment on column orcid_sync.consumers.name is 'What the consumer calls itself.';
comment on column orcid_sync.consumers.owner is 'Name of the token that stored it first; only its bearers and administrators may change it.';
comment on column orcid_sync.consumers.epoch is 'Epoch of the feed that the position belongs to.';
comment on column orcid_sync.consumers.seq is 'Position of the last change that the consumer has dealt with.';
comment on column orcid_sync.consumers.view is 'What the consumer reads with: public or limited.';
comment on column orcid_sync.consumers.created_at is 'When it first stored a position.';
comment on column orcid_sync.consumers.updated_at is 'When it stored this one.';

-- The service reads for others as one of the roles of readers (set role, until the end of a transaction): PostgreSQL
-- decides what they see, not the service. Superusers may become anybody; everybody else must be a member of both.
create function orcid_sync.lend_readers(service name) returns void
  language plpgsql
  set search_path = pg_catalog
as $body$
declare
  -- Since PostgreSQL 16 who has made a role is its member without the right to become it.
  needed constant text := case when current_setting('server_version_num')::integer < 160000 then 'member' else 'set' end;
  reader name;
begin
  for reader in
    select rolname from pg_roles
     where rolname in ('orcid_reader', 'orcid_reader_limited') and not pg_has_role(service, oid, needed)
  loop
    begin
      execute format('grant %I to %I', reader, service);
    exception
      when insufficient_privilege then null; -- the listener and `orcid-sync check` say what to do
    end;
  end loop;
end
$body$;
revoke all on function orcid_sync.lend_readers from public;
comment on function orcid_sync.lend_readers is 'Lets the role that runs the service read as orcid_reader and orcid_reader_limited, as far as they exist and the caller may grant them.';

create or replace function orcid_sync.grant_service(service name) returns void
  language plpgsql
  set search_path = pg_catalog
as $body$
declare
  owner name := (select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'orcid');
begin
  execute format('grant usage on schema orcid, orcid_sync to %I', service);
  execute format('grant select, insert, update, delete on all tables in schema orcid, orcid_sync to %I', service);
  execute format('alter default privileges for role %I in schema orcid, orcid_sync'
                 ' grant select, insert, update, delete on tables to %I', owner, service);
  perform orcid_sync.lend_readers(service);
end
$body$;

select orcid_sync.lend_readers(current_user);
