"""Slack: what people see there, what they do there, and the way there.

What they see is pure, and stands from the bottom up: `blocks`, `form`, `cards`, `messages` (`messages.render`
knows which of them draws a message's row), `views`. What they do comes to `listeners`, by way of `app`;
`payloads` and `token` say how it looks when it comes. The way there: `delivery`, to a `workspace`.
"""
