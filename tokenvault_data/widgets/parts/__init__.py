"""What panels are made of: bars, tables, words, progress, and jobs beside the kernel."""
