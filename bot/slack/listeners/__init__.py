"""What Slack tells us: each listener records a fact, then acknowledges it, then says things."""
