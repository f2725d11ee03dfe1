from .changes.view import ChangesView as ChangesView
from .cleanup.panel import CleanupPanel as CleanupPanel
from .collect.panel import CollectPanel as CollectPanel
from .expiry.radar import ExpiryRadar as ExpiryRadar
from .explore.explorer import Explorer as Explorer
