"""What everything shown is made of: text that stays text, rich text, JSON values, a message ready to send."""
