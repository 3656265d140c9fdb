-- oldest code: 1
-- What waits for several people, of whom some may have voted: few among all that waits, and looked at often.
create index approvals_of_several on approvals (approval_id)
    where status = 'pending' and ((policy ->> 'approvals')::int > 1 or (policy ->> 'rejections')::int > 1);
