"""Rows, migrations, pools and the queue: knows no Slack, and no LangGraph but to migrate its tables."""
