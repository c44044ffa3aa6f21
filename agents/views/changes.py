"""/api/v1/runs/{id}/changes, /apply, /discard: what a draft run has staged (RULINGS §7)."""

import functools
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.models import Role
from agents.drafts.apply_program import Asked, changes_of, discard, start_apply
from agents.errors import ToolExecutionError
from agents.serializers.changes import ChangeShape, ChangesRequest, SettledShape, change_json
from config.errors import Conflict
from config.http.api_request import ApiRequest
from config.http.deferred import DeferrableResponse
from config.http.viewsets import ArrayPagination
from governance.policies.evaluation import PolicyDenied
from orchestration.live.change_listener import ended
from orchestration.models import FINAL, Change, Run, Status
from orchestration.views.runs import RunViewSet, actor_of

WAIT_S = 60.0  # an apply that takes longer, or waits for a person, is answered as applying


class ChangeViewSet(RunViewSet):
    """The changes of one run."""

    pagination_class = ArrayPagination
    roles = {"apply": Role.DEVELOPER, "discard": Role.DEVELOPER}
    errors = {"apply": (Conflict, PolicyDenied, ToolExecutionError), "discard": (Conflict,)}

    @extend_schema(summary="List a draft's changes", responses=ChangeShape(many=True))
    def changes(self, request: ApiRequest, pk: str) -> Response:
        """What the run has staged, applied and discarded, in the order of its calls."""
        page = self.paginate_queryset(changes_of(self.get_object()))
        return self.get_paginated_response([change_json(change) for change in page or ()])

    @extend_schema(summary="Apply a draft's changes", request=ChangesRequest, responses=SettledShape)
    def apply(self, request: ApiRequest, pk: str) -> Response:
        """Apply all staged changes, or those named; 409 and nothing is applied when what one rests on has moved."""
        run = self.get_object()
        made = start_apply(self._asked(run))
        if made is None:
            return self._settled(run, None, "applied")
        response = self._settled(run, made, "applying")
        until = functools.partial(ended, made.pk, WAIT_S, or_paused=True)
        again = Run.objects.for_tenant(run.tenant_id)
        response.defer(self, until, lambda: self._applied(run, again.get(pk=made.pk)))
        return response

    @extend_schema(summary="Discard a draft's changes", request=ChangesRequest, responses=SettledShape)
    def discard(self, request: ApiRequest, pk: str) -> Response:
        """Drop all staged changes, or those named, for good."""
        run = self.get_object()
        discard(self._asked(run))
        return self._settled(run, None, "discarded")

    def _asked(self, run: Run) -> Asked:
        named = self.valid(ChangesRequest).validated_data.get("change_ids")
        return Asked(run.pk, run.tenant_id, actor_of(self.request), named, self.request.trace_id)

    def _applied(self, run: Run, apply: Run) -> Response:
        """The answer once the apply has ended, or waits for a person (`applying`); or its error."""
        if apply.status not in FINAL:
            return self._settled(run, apply, "applying")
        if apply.status == Status.COMPLETED:
            return self._settled(run, apply, "applied")
        told = apply.result if isinstance(apply.result, dict) else {}
        landed = Change.objects.for_tenant(run.tenant_id).filter(apply_run_id=apply.pk, status="applied").count()
        error = told.get("error") or f"The apply was {apply.status}."
        message = f"{landed} of {len(apply.input['change_ids'])} changes were applied, the rest stays staged: {error}"
        kinds: dict[str, type[Any]] = {PolicyDenied.code: PolicyDenied, ToolExecutionError.code: ToolExecutionError}
        raise kinds.get(str(told.get("error_type")), Conflict)(message, apply_run_id=str(apply.pk), applied=landed)

    def _settled(self, run: Run, apply: Run | None, status: str) -> DeferrableResponse:
        changes = [change_json(change) for change in changes_of(run)]
        made = str(apply.pk) if apply else None
        return DeferrableResponse({"run_id": str(run.pk), "apply_run_id": made, "status": status, "changes": changes})
