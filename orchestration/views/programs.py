"""/api/v1/programs: starting runs of the programs that plug-ins bring."""

from functools import partial

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.models import Role
from config.errors import IdempotencyConflict, NotFound
from config.http.api_request import ApiRequest
from config.http.viewsets import TenantViewSet, body_object
from governance.policies.evaluation import PolicyDenied
from orchestration.kinds import KINDS
from orchestration.models import Run
from orchestration.runs.commands import start_run
from orchestration.runs.idempotency import IDEMPOTENCY_KEY, answer, caller_fields, idempotency
from orchestration.serializers.runs import RunSerializer
from orchestration.serializers.workflows import RunStartRequest, start_fields
from orchestration.workflows.definition.input_schema import fitted_input


class ProgramNotFound(NotFound):
    """There is no such program, or none that is started here."""


class ProgramViewSet(TenantViewSet):
    """Programs by their kind; those that have a route of their own are not started here."""

    model, not_found = Run, ProgramNotFound
    lookup_field = "kind"
    roles = {"runs": Role.USER}
    errors = {"runs": (PolicyDenied, IdempotencyConflict)}

    @extend_schema(
        operation_id="programs_start_run",
        summary="Start a run of a program",
        parameters=[IDEMPOTENCY_KEY],
        request=RunStartRequest,
        responses={201: RunSerializer},
    )
    @action(detail=True, methods=["post"])
    def runs(self, request: ApiRequest, kind: str) -> Response:
        """Start a run of a program that a plug-in brings; the input is checked by the program's schema."""
        run_kind = KINDS.get(kind)
        if run_kind is None or not run_kind.public:
            raise ProgramNotFound(kind=kind[:100])
        run, created = start_run(
            tenant_id=request.tenant_id,
            kind=kind,
            coerce=partial(fitted_input, run_kind.input_schema, prefix="input."),
            **start_fields(body_object(request)),
            **caller_fields(request),
            **idempotency(request),
        )
        return answer(RunSerializer.render(run) if created else RunSerializer.render_start(run), created)
