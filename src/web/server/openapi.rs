//! The API's description in OpenAPI 3.1, made from the handlers; `deploy/openapi.json` is a copy that a test keeps current.

use axum::Json;
use serde::Serialize;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

use crate::web::device::forget;
use crate::web::gate::api as gate;
use crate::web::incident::api::{command, dto, read, stream, write};
use crate::web::support::api as contacts;

/// An error (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct ProblemBody {
    /// Always `about:blank`: the status says what kind of problem it is.
    r#type: String,
    /// The status in words.
    title: String,
    status: u16,
    /// What is wrong, and what would be right.
    detail: String,
}

/// An object whose fields are told in the README.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::web) struct AnyObject {
    #[serde(flatten)]
    #[schema(value_type = Object)]
    fields: serde_json::Value,
}

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
        super::super::api::events, super::super::api::event, super::super::api::open, super::super::api::devices, forget::forget,
        super::super::api::report,
        gate::gates, gate::decide, gate::control_ring,
    ),
    components(schemas(ProblemBody, dto::IncidentView, command::Wish)),
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
