"""The lab: a live page for one's own network, and the session behind it."""
