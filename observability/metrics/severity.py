"""The severity of an error by its type: high for safety and money, medium for what a person has to fix, else low."""

GUARDS = {"POLICY_DENIED", "BUDGET_EXCEEDED", "SCOPE_DENIED", "FORBIDDEN", "UNAUTHORIZED", "OUTBOUND_REFUSED"}
DATABASE = {"SQL_REFUSED", "SQL_FAILED", "DatabaseError", "OperationalError", "IntegrityError", "InterfaceError"}
INPUT = {"VALIDATION_ERROR", "WORKFLOW_VALIDATION_ERROR", "TEMPLATE_ERROR", "NODE_ERROR", "INPUT_MISSING"}
WORK = {"TOOL_EXECUTION_ERROR", "TOOL_NOT_FOUND", "AGENT_EXECUTION_ERROR", "AGENT_NOT_FOUND", "AGENT_INACTIVE"}
LEVELS = dict.fromkeys(GUARDS | DATABASE, "high") | dict.fromkeys(INPUT | WORK, "medium")


def severity(error_type: str) -> str:
    """high, medium or low."""
    return LEVELS.get(error_type, "low")
