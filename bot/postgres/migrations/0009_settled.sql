-- oldest code: 1
-- What was settled lately is in every App Home, and few of all that was ever settled.
create index approvals_settled on approvals (decided_at) where decided_at is not null;
