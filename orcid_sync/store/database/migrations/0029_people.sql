-- Roles with grants of their own, members of no role of readers, may read people as before: what lies in orcid_sync is only
-- looked at by those who ask for it. A view asks for the right to all that it names; a function does when it is called.

create function orcid.connection_state(orcid text) returns text
  language sql stable parallel safe
begin atomic
  select c.state from orcid_sync.connections c where c.orcid = connection_state.orcid;
end;
comment on function orcid.connection_state is 'State of the connection: connected, disconnecting or disconnected; null: never connected. For the owner and the roles of readers.';

create or replace view orcid.people with (security_invoker = true) as
  select r.orcid,
         coalesce(n.credit_name, nullif(concat_ws(' ', n.given_names, n.family_name), '')) as name,
         n.given_names,
         n.family_name,
         r.state,
         r.access,
         e.org_name as employer,
         (select count(distinct w.group_put_code) from orcid.works w where w.orcid = r.orcid) as works,
         r.registry_modified_at,
         r.changed_at,
         orcid.ror(e.org_disambiguation_source, e.org_disambiguated_id) as employer_ror,
         e.role_title,
         e.department_name,
         orcid.asserted_by(r.orcid, e.source_client_id, e.source_orcid, e.assertion_origin_orcid) as employment_asserted_by,
         (select count(distinct f.group_put_code) from orcid.fundings f where f.orcid = r.orcid) as fundings,
         (select count(*) from orcid.peer_reviews p where p.orcid = r.orcid) as peer_reviews,
         r.submitted_at as registered_at,
         r.first_seen_at,
         orcid.connection_state(r.orcid) as connection
    from orcid.records r
    left join orcid.names n using (orcid)
    left join lateral (
      select a.* from orcid.affiliations a
       where a.orcid = r.orcid and a.section = 'employment'
         and (a.end_year is null or orcid.latest_date(a.end_year, a.end_month, a.end_day) >= current_date)
       order by a.start_date desc nulls last, a.put_code desc limit 1
    ) e on true;

select orcid_sync.grant_readers();
