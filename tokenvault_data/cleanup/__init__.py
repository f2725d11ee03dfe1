"""Cleanup campaigns: rules, sealed plans, approvals, journaled deletion, and its proof."""
