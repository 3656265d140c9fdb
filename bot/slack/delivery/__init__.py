"""A message's way to Slack: posted once, found again after a crash, drawn until it shows its row."""
