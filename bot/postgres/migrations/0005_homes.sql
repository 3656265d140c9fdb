-- oldest code: 1
-- App Homes that somebody opened lately are messages too (kind home), drawn again when what they list changes.

alter table slack_workspace add column homes_swept_at timestamptz;  -- up to when changes were looked at

create index messages_homes on messages (verified_at) where kind = 'home';
create index messages_changed on messages (woken_at) where kind = 'card';
