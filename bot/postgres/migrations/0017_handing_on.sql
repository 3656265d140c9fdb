-- oldest code: 1
-- Who draws what a run recorded: one process that listens, where there is one; it holds this lock meanwhile.

create function signoff_hears() returns boolean language sql volatile as $$
    select pg_try_advisory_lock(6001406380110923332)
$$;

-- Whoever gets a share of the lock knows that nobody holds it. It is let go of with the transaction.
create function signoff_hand_on(drawings text) returns boolean language plpgsql volatile as $$
begin
    if drawings is null or pg_try_advisory_xact_lock_shared(6001406380110923332) then
        return false;
    end if;
    perform pg_notify('signoff_drawings', drawings);
    return true;
end $$;

create function signoff_release(
    id text, seen bigint, drawings text, out unlocked boolean, out more boolean, out handed_on boolean
) language plpgsql volatile as $$
begin
    select r.unlocked, r.more into unlocked, more from signoff_release(id, seen) r;
    handed_on := unlocked and signoff_hand_on(drawings);
end $$;
