"""What opens for one person: the App Home, the modals, the answers to `/approvals`; and what a modal says."""
