-- 25. Which fundings have no grant number?
select f.orcid, f.put_code, f.title, f.org_name as funder,
       orcid.asserted_by(f.orcid, f.source_client_id, f.source_orcid, f.assertion_origin_orcid) as asserted_by
  from orcid.fundings as f
 where f.preferred and not exists (
   select from orcid.external_ids as x
    where x.orcid = f.orcid and x.section = 'funding' and x.put_code = f.put_code
      and x.type in ('grant_number', 'doi', 'proposal-id') and x.identifier is not null)
 order by f.orcid, f.put_code;
