-- oldest code: 1
-- Whether Slack says of somebody what lets them never decide, as `standing` judges it.
create function signoff_barred(profile jsonb, home_team text) returns boolean language sql immutable parallel safe as $$
    select profile ->> 'team_id' is distinct from home_team
        or coalesce((profile -> 'is_guest')::boolean, false)
        or coalesce((profile -> 'is_bot')::boolean, false)
        or coalesce((profile -> 'is_deactivated')::boolean, false)
$$;
