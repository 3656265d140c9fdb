-- oldest code: 3
-- Nothing changes but who may run: code older than 0007 resumes without what people corrected on the card, and
-- the node would run with what they had put right.
select;
