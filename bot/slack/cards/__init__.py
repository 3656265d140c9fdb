"""An approval as people see it: the card, and the words and buttons that its other surfaces share."""
