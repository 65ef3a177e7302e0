-- One governor for all replicas: shares for the lanes, the Registry's wish for silence apart from the circuit, a daily
-- budget. All in the row that every request writes anyway, so that it stays one statement.

alter table orcid_sync.pace
  add column ceiling        double precision check (ceiling > 0),
  add column lane_tats      timestamptz[] not null default array_fill('-infinity'::timestamptz, array[5]),
  add column silent_until   timestamptz not null default '-infinity',
  add column day            date,
  add column used           bigint not null default 0,
  add column daily_requests bigint check (daily_requests > 0),
  add column used_up_until  timestamptz not null default '-infinity';
comment on table orcid_sync.pace is 'One token bucket (GCRA) per ORCID API client, shared by all replicas and divided among the lanes, with a circuit that pauses them while the Registry is down and a daily budget.';
comment on column orcid_sync.pace.rate is 'Requests per second to which ORCID''s last 429 or 503 lowered the pace (slowed_at); the present ones are present_rate().';
comment on column orcid_sync.pace.failures is 'Requests in a row that failed as if the Registry were away; a probe counts as failed until it has succeeded.';
comment on column orcid_sync.pace.paused_until is 'The circuit: no request and no lease before this moment, then a single one as a probe.';
comment on column orcid_sync.pace.ceiling is 'Requests per second that the settings allow, as of the last request; null before the first one.';
comment on column orcid_sync.pace.lane_tats is 'By lane (notification, operator, first load, check, sweep): the moment up to which the lane has used its share.';
comment on column orcid_sync.pace.silent_until is 'No request and no lease before this moment: ORCID asked for silence (Retry-After).';
comment on column orcid_sync.pace.day is 'The day (UTC) of which used counts the requests.';
comment on column orcid_sync.pace.used is 'Requests of that day.';
comment on column orcid_sync.pace.daily_requests is 'Requests per day that the settings allow, as of the last request; null: no bound.';
comment on column orcid_sync.pace.used_up_until is 'ORCID said that the day''s quota is used up: not asked again before this moment.';

create function orcid_sync.present_rate(ceiling double precision, rate double precision, slowed_at timestamptz, at timestamptz)
  returns double precision
  language sql immutable parallel safe
  return least(ceiling, case when slowed_at is null then ceiling else
    rate + 0.05 * ceiling * abs(extract(epoch from at - slowed_at)) / 60 end)::double precision;
comment on function orcid_sync.present_rate is 'Requests per second at a moment: the ceiling, or since a slow-down the lowered rate plus 5 % of the ceiling for each minute.';

create function orcid_sync.circuit_pause(failures integer) returns interval
  language sql immutable parallel safe
  return case when failures < 5 then interval '0'
    else least(interval '60 seconds', interval '5 seconds' * 2 ^ least(failures - 5, 10)) end;
comment on function orcid_sync.circuit_pause is 'How long the circuit stays open after so many failures in a row: 5 s after the fifth, twice as long after each further one, at most a minute.';

create function orcid_sync.not_past(moment timestamptz, at timestamptz, bound interval) returns timestamptz
  language sql immutable parallel safe
  return case when moment > at and moment <= at + bound then moment else at end;
comment on function orcid_sync.not_past is 'The moment if it is still to come, else at. One further ahead than the bound is of a clock that was set back since, and counts as past: otherwise everything would stand still for as long as it was set back.';
