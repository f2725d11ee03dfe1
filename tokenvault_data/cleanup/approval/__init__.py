"""Who allows a campaign: keys, approvers, signed approvals, and their revocation."""
