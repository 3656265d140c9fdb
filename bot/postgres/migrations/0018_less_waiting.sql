-- oldest code: 1
-- A run's job ends in the statement that gives its thread's lock back, where nothing is left to do under it;
-- and what must hold in a transaction is told by the server, so that nobody has to wait for a look.

create function signoff_release(
    id text, seen bigint, drawings text, job bigint,
    out unlocked boolean, out more boolean, out handed_on boolean, out job_ended boolean
) language plpgsql volatile as $$
begin
    -- A job that is lost with the server is run again, and finds nothing to do: no need to wait for the disk.
    perform set_config('synchronous_commit', 'off', true);
    select r.unlocked, r.more, r.handed_on into unlocked, more, handed_on
    from signoff_release(id, seen, drawings) r;
    -- As procrastinate_finish_job_v1 deletes it, which raises where another worker has ended it.
    delete from procrastinate_jobs j
    where j.id = job and j.status in ('todo', 'doing') and unlocked and not more
      and (drawings is null or handed_on);
    job_ended := found;
end $$;

create function signoff_insist(holds boolean, otherwise text, code text default 'P0001') returns void
language plpgsql as $$
begin
    if holds is not true then
        raise exception using message = otherwise, errcode = code;
    end if;
end $$;
