-- oldest code: 1
-- Why an approval closed without a decision of its own, or with one that came to nothing, for its card: the
-- thread may fail, be retried and end in some other way since.
alter table approvals add column closed_why text;

update approvals a
set closed_why = coalesce(t.cancel_reason, case t.status when 'cancelled' then '' else 'the workflow failed: ' end || t.error)
from threads t
where t.thread_id = a.thread_id and a.status = 'cancelled';
