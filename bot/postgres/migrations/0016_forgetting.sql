-- oldest code: 1
-- Each row that is forgotten is looked for in what may refer to it: all messages were read for each one.
create index messages_thread on messages (thread_id);
create index messages_parent on messages (parent_id) where parent_id is not null;
