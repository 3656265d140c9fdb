-- oldest code: 2
-- Who decides in a run: policy whatever is asked, people where the graph asks, people after every node. Older
-- code would not stop after every node, and would run graphs past their breakpoints.
alter table threads add column autonomy text not null default 'on_action'
    check (autonomy in ('full', 'on_action', 'step_by_step'));
