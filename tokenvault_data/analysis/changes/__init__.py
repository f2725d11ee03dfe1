"""What differs between two snapshots: `compare` finds it, `events` tells what became of each card.

A customer who was not fetched on one side is never "gone" there.
"""
