-- oldest code: 1
-- Rows here are the truth; the paused graph and the Slack messages converge to them.

-- The one source of time. Stable, so that a sweep can use it against an index.
create function signoff_now() returns timestamptz
    language sql stable parallel safe as 'select clock_timestamp()';

-- What this database knows of its Slack workspace: one row.
create table slack_workspace (
    only_row      boolean primary key default true check (only_row),
    team_id       text,
    bot_user_id   text,
    bot_id        text,
    url           text,
    ok_since      timestamptz,             -- null while Slack cannot be reached
    checked_at    timestamptz
);
insert into slack_workspace default values;

create table threads (
    thread_id       text primary key,
    workflow        text not null,
    input           json not null,         -- json, not jsonb: authors' keys keep their order
    requester       text,                  -- the Slack user on whose behalf it runs
    starter         text not null,         -- api:name, cli:user, slack:U…
    idempotency_key text,
    status          text not null default 'running'
                    check (status in ('running', 'waiting', 'done', 'failed', 'cancelled', 'orphaned')),
    wanted          bigint not null default 1,   -- bumped by every fact
    reached         bigint not null default 0,   -- what the last holder of the lock had read
    attempts        int not null default 0,      -- runs that raised since the last progress
    retry_at        timestamptz,
    cancel_reason   text,                  -- set: a person or a policy ends it
    result          json,
    error           text,                  -- one line
    traceback       text,
    created_at      timestamptz not null default signoff_now(),
    updated_at      timestamptz not null default signoff_now(),  -- when a job for it was last enqueued, too
    ended_at        timestamptz,
    digested_in     text
);
create unique index threads_idempotency on threads (starter, idempotency_key) where idempotency_key is not null;
create index threads_behind on threads (updated_at) where wanted > reached;
create index threads_retrying on threads (retry_at) where retry_at is not null;
create index threads_broken on threads (ended_at) where status in ('failed', 'orphaned') and digested_in is null;
create index threads_listed on threads (created_at desc, thread_id);
create index threads_open on threads (requester) where status in ('running', 'waiting');

create table approvals (
    approval_id    text primary key,
    thread_id      text not null references threads,
    interrupt_id   text not null,
    status         text not null default 'pending'
                   check (status in ('pending', 'decided', 'expired', 'cancelled', 'superseded', 'orphaned')),
    revision       int not null default 1,
    dialect        text not null,
    request        json not null,          -- normalised, as the workflow asked, its keys in its order
    payload_hash   text not null,
    proposal       json,                   -- as it stands, after edits
    edited_by      text,
    policy         jsonb not null,         -- in force: tightened by the request, widened by escalation
    sla            jsonb not null,
    notices        text[] not null default '{}',
    channel        text not null,
    delivery       text not null default 'pending' check (delivery in ('pending', 'delivered', 'failed')),
    delivery_error text,
    delivered_at   timestamptz,
    steps_done     int not null default 0, -- of the SLA's timetable
    next_at        timestamptz,            -- when the clock must look again
    due_at         timestamptz,
    decision       json,
    decided_at     timestamptz,
    applying_at    timestamptz,            -- the mark: written before the answer is sent to the graph
    applied_at     timestamptz,
    digested_in    text,
    created_at     timestamptz not null default signoff_now()
);
create unique index approvals_pause on approvals (thread_id, interrupt_id) where status <> 'superseded';
create index approvals_thread on approvals (thread_id, created_at);
create index approvals_due on approvals (next_at) where status = 'pending';
create index approvals_waiting on approvals (created_at, approval_id) where status = 'pending';
create index approvals_listed on approvals (created_at, approval_id);
create index approvals_of on approvals using gin ((policy -> 'approvers')) where status = 'pending';
create index approvals_undigested on approvals (decided_at) where status = 'expired' and digested_in is null;

create table votes (
    approval_id text not null references approvals,
    user_id     text not null,
    revision    int not null,
    vote        jsonb not null,
    primary key (approval_id, user_id)
);

-- Every Slack message that we own. The id says what it is, so that asking twice for one makes one.
create table messages (
    message_id    text primary key,
    kind          text not null,
    approval_id   text references approvals,
    thread_id     text references threads,
    parent_id     text references messages,   -- it is a reply under that message
    target        text not null,              -- #name, C…, D… or U…
    body          jsonb not null default '{}',
    priority      int not null default 0,
    wanted        int not null default 1,
    drawn         int not null default 0,
    channel_id    text,
    ts            text,
    posting_since timestamptz,                -- set and no ts: a post whose outcome is unknown
    lease         text,
    lease_until   timestamptz,
    attempts      int not null default 0,
    retry_at      timestamptz,
    error         text,                       -- set: given up
    woken_at      timestamptz not null default signoff_now(),  -- when a job for it was last enqueued
    verified_at   timestamptz,                -- when Slack last said that it is still there
    digested_in   text,
    created_at    timestamptz not null default signoff_now()
);
create index messages_behind on messages (woken_at) where wanted > drawn and error is null;
create index messages_live on messages (verified_at nulls first) where kind = 'card' and ts is not null;
create index messages_place on messages (channel_id, ts);
create index messages_approval on messages (approval_id);
create index messages_failed on messages (created_at) where error is not null and digested_in is null;

-- Where each card can be opened: Slack's permalinks follow from the workspace's address, channel and ts.
create view card_links as
    select m.approval_id, rtrim(w.url, '/') || '/archives/' || m.channel_id || '/p' || replace(m.ts, '.', '')
           as permalink
    from messages m cross join slack_workspace w
    where m.kind = 'card' and m.ts is not null;

-- People and groups as Slack last told them; listeners never wait for Slack to know who may decide.
create table people (
    user_id    text primary key,
    profile    jsonb not null,
    fetched_at timestamptz not null
);
create table user_groups (
    group_id   text primary key,
    handle     text not null,
    name       text not null,
    members    text[] not null,
    fetched_at timestamptz not null
);
create index user_groups_handle on user_groups (handle);
create table channels (
    name       text primary key,             -- as a workflow names it: #name or an id
    channel_id text not null,
    members    text[],                       -- null: Slack would not say
    fetched_at timestamptz not null
);

-- What Slack said about a channel's rate, where every worker sees it.
create table slack_rates (
    channel    text primary key,
    not_before timestamptz not null
);

create table digests (
    digest_key text primary key,             -- local date and time of the schedule
    made_at    timestamptz not null,
    summary    jsonb not null
);

-- The audit trail: one chain of hashes a thread. `body` is kept as text, since the hash is over its bytes.
create table audit (
    chain     text not null,
    n         bigint not null,
    body      text not null,
    hash      text not null,
    primary key (chain, n)
);
create table audit_heads (
    chain text primary key,
    n     bigint not null,
    hash  text not null
);

-- Appends to a chain in the caller's transaction. Take other row locks first: this one comes last.
create function signoff_audit(chain_ text, event text, actor text, data jsonb) returns void
    language plpgsql as $$
declare
    head audit_heads;
    body_ text;
    hash_ text;
begin
    insert into audit_heads values (chain_, 0, '') on conflict do nothing;
    select * into head from audit_heads where chain = chain_ for update;
    body_ := jsonb_build_object('chain', chain_, 'n', head.n + 1, 'at', signoff_now(), 'event', event,
                                'actor', actor, 'data', data)::text;
    hash_ := encode(sha256(convert_to(head.hash || body_, 'UTF8')), 'hex');
    insert into audit values (chain_, head.n + 1, body_, hash_);
    update audit_heads set n = head.n + 1, hash = hash_ where chain = chain_;
end $$;
