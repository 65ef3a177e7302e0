-- 9. Self-asserted against organisation-asserted: who vouches for what?
select section, items_by_holder as by_holder, items_by_organisation as by_organisation,
       round(100.0 * items_by_organisation / nullif(items_by_holder + items_by_organisation, 0), 1) as percent_by_organisation
  from orcid.coverage
 where items_by_holder + items_by_organisation > 0
 order by percent_by_organisation desc, section;
