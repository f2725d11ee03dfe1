__version__: str

from .analysis.breakdown import breakdown as breakdown
from .analysis.changes.compare import (
    changes as changes,
    compare as compare,
)
from .analysis.expiry import (
    expired_but_active as expired_but_active,
    expiring as expiring,
    expiry_calendar as expiry_calendar,
    expiry_outlook as expiry_outlook,
)
from .analysis.filters.filters import (
    Predicate as Predicate,
    expired as expired,
    where as where,
)
from .analysis.forecast import (
    backtest as backtest,
    forecast as forecast,
)
from .analysis.identity import (
    identity as identity,
    identity_members as identity_members,
)
from .analysis.outreach import (
    customer_outlook as customer_outlook,
    customers_at_risk as customers_at_risk,
    customers_without_usable_card as customers_without_usable_card,
)
from .analysis.quality.quality import (
    quality as quality,
    quality_rows as quality_rows,
)
from .analysis.quality.settings import QualitySettings as QualitySettings
from .cleanup.approval.approvals import (
    Approval as Approval,
    approve_plan as approve_plan,
)
from .cleanup.approval.keys import (
    SigningKey as SigningKey,
    load_signing_key as load_signing_key,
)
from .cleanup.audit.audit import (
    AuditResult as AuditResult,
    audit_cleanup as audit_cleanup,
)
from .cleanup.campaign.applying import (
    abort_cleanup as abort_cleanup,
    apply_cleanup as apply_cleanup,
    check_cleanup as check_cleanup,
    recover_cleanup as recover_cleanup,
)
from .cleanup.campaign.campaign import Preflight as Preflight
from .cleanup.campaign.status import CampaignStatus as CampaignStatus
from .cleanup.campaign.verification import (
    VerificationResult as VerificationResult,
    verify_cleanup as verify_cleanup,
)
from .cleanup.plan.plan import Plan as Plan
from .cleanup.plan.plan_file import (
    read_plan as read_plan,
    seal_plan as seal_plan,
)
from .cleanup.plan.planning import plan_cleanup as plan_cleanup
from .cleanup.plan.simulation import (
    Simulation as Simulation,
    simulate_cleanup as simulate_cleanup,
)
from .cleanup.report.report import report_cleanup as report_cleanup
from .cleanup.selection.holds import (
    Holds as Holds,
    load_holds as load_holds,
)
from .cleanup.selection.limits import Limits as Limits
from .cleanup.selection.rules import (
    Rule as Rule,
    duplicates as duplicates,
    expired_for as expired_for,
    listed as listed,
)
from .client.blocking import (
    Vault as Vault,
    connect as connect,
    connect_async as connect_async,
)
from .client.calls import Cryptogram as Cryptogram
from .client.client import (
    AsyncVault as AsyncVault,
    CustomerCards as CustomerCards,
)
from .client.pacing.pacer import Budget as Budget
from .client.retries import RetryPolicy as RetryPolicy
from .collection.collect import collect as collect
from .collection.customer_list import (
    CustomerList as CustomerList,
    read_customers as read_customers,
)
from .collection.frames import iter_frames as iter_frames
from .collection.progress import Progress as Progress
from .config.loading import load_profile as load_profile
from .config.network import Network as Network
from .config.profile import Profile as Profile
from .dataset.bank_names import (
    BankNames as BankNames,
    load_bank_names as load_bank_names,
)
from .dataset.manifest import Manifest as Manifest
from .dataset.snapshots import (
    Snapshot as Snapshot,
    SnapshotListing as SnapshotListing,
    list_snapshots as list_snapshots,
    open_snapshot as open_snapshot,
)
from .dataset.tables import ResultTable as ResultTable
from .errors import TokenVaultError as TokenVaultError
from .redaction import show_ids as show_ids
from .reports.export import (
    export as export,
    read_export as read_export,
)
from .reports.page.html_report import report as report
