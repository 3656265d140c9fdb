-- oldest code: 1
-- The approval that asks now what a superseded one asked, at the same pause.
create view asked_instead as
select before.approval_id, after.approval_id as instead
from approvals before join approvals after using (thread_id, interrupt_id)
where before.status = 'superseded' and after.status <> 'superseded';
