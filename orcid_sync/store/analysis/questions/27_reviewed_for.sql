-- 27. For whom do we review?
select i.organisation as convener, r.review_group_id, count(*) as reviews, count(distinct r.orcid) as people
  from orcid.peer_reviews as r
  left join orcid.item_organisations as i on i.orcid = r.orcid and i.section = 'peer-review' and i.put_code = r.put_code
 group by i.organisation, r.review_group_id
 order by reviews desc, convener, r.review_group_id;
