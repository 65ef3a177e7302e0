-- Whoever looks for an identifier looks in the column identifier, which has an index of its own: nothing asks this one.
drop index orcid.external_ids_value;
