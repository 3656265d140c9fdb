-- oldest code: 1
-- The fields of its thread's state that a person may correct from the card, and as they were corrected.
alter table approvals add column correction json;
