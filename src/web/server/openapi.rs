//! The API's description in OpenAPI 3.1, made from the handlers; `deploy/openapi.json` is a copy that a test keeps current.

use axum::Json;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::schema::ProblemBody;
use crate::incident::Command;
use crate::web::device::{api as device, forget};
use crate::web::event::api as event;
use crate::web::gate::api as gate;
use crate::web::incident::api::{dto, read, stream, write};
use crate::web::report::api as report;
use crate::web::support::api as contacts;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "fleetwatch",
        description = "Major incidents of a fleet, and the work on them. Instants are milliseconds since the Unix epoch (UTC).",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    paths(
        read::list, read::one, read::ladder, read::record, read::export, write::declare, write::command, write::merge, write::split,
        stream::stream, contacts::find, contacts::one, contacts::import,
        event::events, event::event, event::open, device::devices, forget::forget,
        report::report,
        gate::gates, gate::decide, gate::control_ring,
    ),
    components(schemas(ProblemBody, dto::IncidentView, Command)),
    tags(
        (name = "incidents", description = "Major incidents from declaration to close, and the work on them"),
        (name = "contacts", description = "Whom to call"),
        (name = "fleet", description = "What the detector sees, and has on record"),
        (name = "gates", description = "Which updates the updater may install"),
    ),
    modifiers(&Security),
    security(("token" = []), ("session" = [])),
)]
struct Description;

/// How callers prove who they are.
struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_with(Default::default);
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token: fw_...")).build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let cookie = ApiKeyValue::with_description("fleetwatch", "A browser's session; `__Host-fleetwatch` over HTTPS");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// The description as JSON.
pub fn description() -> String {
    let mut text = Description::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

pub(in crate::web) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(Description::openapi())
}
