"""Routes of what is allowed, relative to /api/v1/."""

from config.http.viewsets import Router
from governance.views.audit import AuditViewSet
from governance.views.budgets import BudgetViewSet
from governance.views.policies import PolicyViewSet
from governance.views.provider_keys import ProviderKeyViewSet

router = Router()
router.register("policies", PolicyViewSet, basename="policy")
router.register("audit", AuditViewSet, basename="audit")
router.register("budgets", BudgetViewSet, basename="budget")
router.register("api-keys", ProviderKeyViewSet, basename="provider-key")

urlpatterns = router.urls
