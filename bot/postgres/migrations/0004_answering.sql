-- oldest code: 1
-- How the graph takes the answer, so that one that does not fit is refused before it is recorded. Null where
-- the approval is older than this: there the engine alone can tell.
alter table approvals add column answering json;
