"""Slack: what people see there, what they do there, and the way there.

What they see is pure. A message: `card` (with `asking`, `buttons`, `outcome`, `anew`), `notes`,
`digest_page`; a view: `home`, `modals` (with `form`, `editing`, `paging`); a private answer: `command`,
`refusals`. `render` knows which of them draws a message's row; `text`, `rich`, `values` and `drawn` are what
they are made of. What they do comes to `listeners`, as `payloads`, `token` and `submitted` read it.
The way there: `app`, `client`, `badge`, `directory`; `draw` with `found`, `failures`, `outsiders`, `showing`.
"""
