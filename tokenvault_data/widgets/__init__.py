"""Widgets for notebooks: the same calls as on the command line, behind bars, tables and buttons.

Everything here needs ``ipywidgets`` and ``anywidget``, which come with the extra ``notebook``.
"""
