"""The command line: parse, call, print.

`main` lists the commands, each in a module of its name but `show`, which is in `snapshots`;
`failures` gives what went wrong its exit code, and `printing` says all of it.
"""
