"""Further types that signatures of `tokenvault_data` speak of, to annotate code of your own with.

Classes that are made, caught or passed on every day are in `tokenvault_data` itself.
"""

from tokenvault_data.analysis.cards.card_view import Where as Where
from tokenvault_data.analysis.cards.dates import Within as Within
from tokenvault_data.analysis.cards.source import Source as Source
from tokenvault_data.analysis.changes.compare import Comparison as Comparison
from tokenvault_data.analysis.changes.sources import Banks as Banks
from tokenvault_data.analysis.cube.cube import Cube as Cube
from tokenvault_data.analysis.quality.drift import Against as Against
from tokenvault_data.analysis.quality.settings import Threshold as Threshold
from tokenvault_data.cleanup.approval.approvals import ApprovalState as ApprovalState
from tokenvault_data.cleanup.approval.approvers import Trust as Trust
from tokenvault_data.cleanup.audit.approvals import SignedApproval as SignedApproval
from tokenvault_data.cleanup.ledger.ledger import DayUse as DayUse
from tokenvault_data.cleanup.selection.cards import HoldUsed as HoldUsed
from tokenvault_data.cleanup.selection.holds import HoldList as HoldList
from tokenvault_data.cleanup.selection.limits import Violation as Violation
from tokenvault_data.cleanup.selection.rules import Kind as Kind
from tokenvault_data.client.calls import Call as Call
from tokenvault_data.client.pacing.blind_search import Learned as Learned
from tokenvault_data.client.pacing.pacer import Reservation as Reservation
from tokenvault_data.client.retries import Attempt as Attempt
from tokenvault_data.client.transport import TransportSettings as TransportSettings
from tokenvault_data.collection.customer_rows import Dropped as Dropped, RowWord as RowWord
from tokenvault_data.collection.progress import Phase as Phase, Report as Report
from tokenvault_data.config.credentials import (
    Credentials as Credentials,
    Environment as Environment,
)
from tokenvault_data.config.sources import Prompt as Prompt
from tokenvault_data.dataset.bank_names import Reason as Reason
from tokenvault_data.dataset.frames import ArrowStream as ArrowStream
from tokenvault_data.dataset.manifest import FileEntry as FileEntry
from tokenvault_data.dataset.snapshots import Verification as Verification
from tokenvault_data.dataset.tables import DisplayColumn as DisplayColumn
from tokenvault_data.redaction import Secret as Secret
from tokenvault_data.reports.policies import Policy as Policy
