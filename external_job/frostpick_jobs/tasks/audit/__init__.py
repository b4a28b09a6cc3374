"""``frostpick audit``: picks drawn for a person to judge, and what the answers say of a job."""
