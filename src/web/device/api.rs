//! Devices, for programs.
// The macro that describes a handler writes paths in full.
#![allow(unused_qualifications)]

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::filter::{Defaults, DeviceParams, Order};
use crate::engine::snapshot::DeviceView;
use crate::engine::time::Timestamp;
use crate::record::access::Principal;
use crate::web::server::problem::{self, Params, Problem};
use crate::web::server::schema::ProblemBody;
use crate::web::server::state::HttpState;

/// In the order of ids, which stands still while somebody reads page after page.
const DEFAULTS: Defaults = Defaults { order: Order::Id, limit: 100, max: 1_000 };

/// A page of devices.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Devices {
    /// The tick that the figures are of.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// How many match, on all pages.
    total: usize,
    #[schema(value_type = Vec<Object>)]
    devices: Vec<DeviceView>,
    /// The `after` of the next page; `null` on the last.
    next: Option<String>,
}

/// Devices as of the last tick, a page at a time.
#[utoipa::path(get, path = "/api/v1/devices", tag = "fleet", params(DeviceParams), responses(
    (status = 200, body = Devices),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in crate::web) async fn devices(
    State(state): State<HttpState>,
    principal: Principal,
    params: Params<DeviceParams>,
) -> Result<Json<Devices>, Problem> {
    let params = problem::params(params)?;
    let snapshot = state.snapshot.load();
    let page = params.page(&snapshot, Some(&principal), DEFAULTS).map_err(Problem::bad_request)?;
    Ok(Json(Devices {
        at: snapshot.at,
        total: page.total,
        next: page.next.map(str::to_owned),
        devices: page.devices.into_iter().cloned().collect(),
    }))
}
