"""The panel for collecting: account, list, plan, and a run that goes on beside the kernel."""
