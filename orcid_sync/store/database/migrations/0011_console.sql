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
