"""What the web role serves over HTTP: the API for programs, Slack's signed requests, health and metrics."""
