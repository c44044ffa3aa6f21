"""/api/v1/runs/{id}/changes, /apply, /discard: what a draft run has staged (RULINGS §7)."""

import functools
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.models import Role
from agents.drafts.change_selection import ChangeSelection, changes_of
from agents.drafts.settlement import discard_changes, start_apply
from agents.errors import ToolExecutionError
from agents.serializers.changes import ChangeSerializer, ChangesRequest, SettledChangesSerializer
from config.errors import Conflict
from config.http.api_request import ApiRequest
from config.http.deferred import DeferrableResponse
from config.http.viewsets import ArrayPagination
from governance.policies.evaluation import PolicyDenied
from orchestration.live.run_waits import wait_for_end
from orchestration.models import FINAL, Change, Run, Status
from orchestration.views.runs import RunViewSet, actor_of

WAIT_S = 60.0  # an apply that takes longer, or waits for a person, is answered as applying


class ChangeViewSet(RunViewSet):
    """The changes of one run."""

    pagination_class = ArrayPagination
    roles = {"apply": Role.DEVELOPER, "discard": Role.DEVELOPER}
    errors = {"apply": (Conflict, PolicyDenied, ToolExecutionError), "discard": (Conflict,)}

    @extend_schema(operation_id="runs_changes", summary="List a draft's changes", responses=ChangeSerializer(many=True))
    def changes(self, request: ApiRequest, pk: str) -> Response:
        """What the run has staged, applied and discarded, in the order of its calls."""
        page = self.paginate_queryset(changes_of(self.get_object()))
        return self.get_paginated_response(ChangeSerializer.render_all(page))

    @extend_schema(
        operation_id="runs_apply",
        summary="Apply a draft's changes",
        request=ChangesRequest,
        responses=SettledChangesSerializer,
    )
    def apply(self, request: ApiRequest, pk: str) -> Response:
        """Apply all staged changes, or those named; 409 and nothing is applied when what one rests on has moved."""
        run = self.get_object()
        apply_run = start_apply(self._selection(run))
        if apply_run is None:
            return self._response(run, None, "applied")
        response = self._response(run, apply_run, "applying")
        until = functools.partial(wait_for_end, apply_run.pk, WAIT_S, or_paused=True)
        rows = Run.objects.for_tenant(run.tenant_id)
        response.defer(self, until, lambda: self._final_response(run, rows.get(pk=apply_run.pk)))
        return response

    @extend_schema(
        operation_id="runs_discard",
        summary="Discard a draft's changes",
        request=ChangesRequest,
        responses=SettledChangesSerializer,
    )
    def discard(self, request: ApiRequest, pk: str) -> Response:
        """Drop all staged changes, or those named, for good."""
        run = self.get_object()
        discard_changes(self._selection(run))
        return self._response(run, None, "discarded")

    def _selection(self, run: Run) -> ChangeSelection:
        ids = self.valid(ChangesRequest).validated_data.get("change_ids")
        return ChangeSelection(run.pk, run.tenant_id, actor_of(self.request), ids, self.request.trace_id)

    def _final_response(self, run: Run, apply: Run) -> Response:
        """The response once the apply has ended, or waits for a person (`applying`); or its error."""
        if apply.status not in FINAL:
            return self._response(run, apply, "applying")
        if apply.status == Status.COMPLETED:
            return self._response(run, apply, "applied")
        result = apply.result if isinstance(apply.result, dict) else {}
        count = Change.objects.for_tenant(run.tenant_id).filter(apply_run_id=apply.pk, status="applied").count()
        error = result.get("error") or f"The apply was {apply.status}."
        message = f"{count} of {len(apply.input['change_ids'])} changes were applied, the rest stays staged: {error}"
        kinds: dict[str, type[Any]] = {PolicyDenied.code: PolicyDenied, ToolExecutionError.code: ToolExecutionError}
        raise kinds.get(str(result.get("error_type")), Conflict)(message, apply_run_id=str(apply.pk), applied=count)

    def _response(self, run: Run, apply: Run | None, status: str) -> DeferrableResponse:
        row = {"run_id": run.pk, "apply_run_id": apply and apply.pk, "status": status, "changes": changes_of(run)}
        return DeferrableResponse(SettledChangesSerializer.render(row))
