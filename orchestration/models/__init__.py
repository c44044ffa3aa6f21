"""The durable engine's tables.

PostgreSQL holds every state; engine/ has the hot SQL, the journal and runs/ are the only writers of statuses.
"""

from orchestration.models.approval import Approval
from orchestration.models.change import Change, ChangeStatus
from orchestration.models.engine import Engine, EngineDeath
from orchestration.models.run import FINAL, NEWEST_FIRST, Mode, Run, RunEvent, Signal, Status, Step, StepStatus
from orchestration.models.workflow import App, Visibility, Workflow, WorkflowType, WorkflowVersion

__all__ = [
    "App",
    "Approval",
    "Change",
    "ChangeStatus",
    "Engine",
    "EngineDeath",
    "FINAL",
    "Mode",
    "NEWEST_FIRST",
    "Run",
    "RunEvent",
    "Signal",
    "Status",
    "Step",
    "StepStatus",
    "Visibility",
    "Workflow",
    "WorkflowType",
    "WorkflowVersion",
]
