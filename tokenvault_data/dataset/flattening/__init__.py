"""From a raw body to the pinned columns: nothing raises or is dropped, every oddity is named.

::

    body --flatten--> many_records | one_record --> as received --canonical--> INSTRUMENTS
"""
