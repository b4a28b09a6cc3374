"""Files of picks and micrograph lists, in and out."""
