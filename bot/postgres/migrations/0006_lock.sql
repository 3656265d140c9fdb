-- oldest code: 1
-- Taking and giving back a thread's lock, each in one round trip.

-- Volatile, so that every statement in it has a snapshot of its own: the row is read as it is once the lock is
-- held, and not as it was before the last holder let go.
create function signoff_hold(
    id text, out locked boolean, out backing_off boolean, out untouched boolean, out thread threads
) language plpgsql volatile as $$
begin
    locked := pg_try_advisory_lock(hashtextextended(id, 0));
    if locked then
        select t.* into thread from threads t where t.thread_id = id;
        backing_off := coalesce(thread.retry_at > signoff_now() and thread.cancel_reason is null, false);
        untouched := not exists (select from checkpoints c where c.thread_id = id);
    end if;
end $$;

-- In this order: a fact that commits after the look finds the lock free.
create function signoff_release(id text, seen bigint, out unlocked boolean, out more boolean)
language plpgsql volatile as $$
begin
    unlocked := pg_advisory_unlock(hashtextextended(id, 0));
    select t.wanted > seen into more from threads t where t.thread_id = id;
end $$;
