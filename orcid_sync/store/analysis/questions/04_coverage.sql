-- 4. How complete are the records: which share has which section, and by whose hand?
select section, percent, records_with, records_by_holder, records_by_organisation
  from orcid.coverage
 order by percent desc, section;
