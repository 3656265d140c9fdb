"""Every message that is ours, of its row: the card, the notes around it, the digest."""
