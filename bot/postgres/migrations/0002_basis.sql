-- oldest code: 1
-- What an approval asks otherwise than the request that it follows, for its card, and how many answers in a
-- row were given to such requests in vain.
alter table approvals
    add column changed     json,
    add column asked_again int not null default 0;
