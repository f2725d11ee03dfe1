"""A campaign from its preflight to its end, by one process at a time, through kills and pauses.

::

    sealed -> approved -> canary -> held -> running -> verifying -> completed
                            |                  |           |
                            +------ paused ----+-----------+

From each of them it can be aborted, or halted where its world is not what the plan says.
"""
