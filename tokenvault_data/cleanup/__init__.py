"""Cleanup campaigns: rules, sealed plans, approvals, journaled deletion, and its proof.

::

    selection -> plan -> approval -> campaign ---------> audit -> report
                                       |  engine          (reads journal and ledger for itself)
                                       v    v
                                     journal, ledger
"""
