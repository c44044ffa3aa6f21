"""Routes of what is remembered, relative to /api/v1/."""

from config.http.viewsets import Router
from memory.views.files import FileViewSet
from memory.views.tables import TableViewSet

router = Router()
router.register("files", FileViewSet, basename="file")
router.register("data/tables", TableViewSet, basename="table")

urlpatterns = router.urls
