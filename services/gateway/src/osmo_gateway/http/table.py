"""Every endpoint of the gateway, in the order in which their paths are tried."""

from typing import Final

from osmo_gateway.http import (
    app_routes,
    backend_routes,
    config_history_routes,
    config_routes,
    credential_routes,
    list_routes,
    misc_routes,
    openapi_routes,
    pool_routes,
    submit_routes,
    workflow_routes,
)
from osmo_gateway.http.endpoints import Endpoint

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *misc_routes.routes,
    *openapi_routes.routes,
    *list_routes.routes,
    *workflow_routes.routes,
    *submit_routes.routes,
    *pool_routes.routes,
    *credential_routes.routes,
    *backend_routes.routes,
    *app_routes.routes,
    *config_history_routes.routes,
    *config_routes.routes,
)
