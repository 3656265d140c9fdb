-- oldest code: 1
-- Whom the clock has added so far, so that they stay whatever SLA a revised request has. Older code lets them
-- decide all the same, and loses them where a request is revised.
alter table approvals add column escalated text[] not null default '{}';

update approvals a
set escalated = array(
    select name
    from audit cross join jsonb_array_elements_text(body::jsonb -> 'data' -> 'added') with ordinality as one(name, nth)
    where chain = a.thread_id and body like '%"approval.escalated"%'
      and body::jsonb ->> 'event' = 'approval.escalated'
      and body::jsonb -> 'data' ->> 'approval_id' = a.approval_id
    order by n, nth
)
where steps_done > 0;
