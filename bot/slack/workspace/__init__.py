"""The workspace at the other end: who we are there, who else is, and what its refusals mean."""
