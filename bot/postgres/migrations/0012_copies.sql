-- oldest code: 1
-- Copies that went to people are drawn again where these come to a group or leave it.
create index messages_copies on messages (target) where kind = 'direct_card';
