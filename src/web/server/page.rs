//! What every handler of a page begins and ends with: how the page is looked at, and the answer that there is nothing.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::html::respond;
use super::state::HttpState;
use crate::record::StoreError;
use crate::web::access::caller::Visit;
use crate::web::ui::fragment::HAVE;
use crate::web::ui::frame::{self};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::language;
use crate::web::ui::parts::unreadable;
use crate::web::ui::view::View;
use crate::words::Lang;

/// Seconds after which a page that could not be read is tried again without JavaScript.
const RETRY_S: u32 = 10;

/// Parameters that every page takes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PageParams {
    lang: String,
    /// `off`: the page does not reload by itself.
    refresh: String,
}

/// The common parameters, read from the query string; what cannot be read is as if absent.
pub(in crate::web) fn view<'a>(state: &'a HttpState, visit: &'a Visit) -> View<'a> {
    let params = Query::<PageParams>::try_from_uri(&visit.uri).map(|Query(params)| params).unwrap_or_default();
    let chosen = Lang::from_code(&params.lang);
    View {
        lang: chosen.unwrap_or_else(|| language::accepted(&visit.headers)),
        lang_chosen: chosen.is_some(),
        refresh: params.refresh != "off",
        uri: &visit.uri,
        principal: visit.principal.as_ref(),
        form_token: &visit.form_token,
        zone: &state.zone,
        now: state.clock.now(),
        seen_at: state.snapshot.load().at,
        have: visit.headers.get(HAVE).and_then(|value| value.to_str().ok()).filter(|_| !visit.posted),
        posted: visit.posted,
        speed: state.clock.speed(),
    }
}

/// Tells a browser that there is nothing, or that it cannot be read.
pub(in crate::web) fn nothing(view: &View<'_>, error: Option<&StoreError>) -> Response {
    let page = match error {
        None => return respond(StatusCode::NOT_FOUND, view.lang, &frame::not_found(view)),
        Some(error) => unreadable(view, error),
    };
    let page = frame::framed(view, view.text().blind, frame::Place::None, Fresh::Whole(Some(RETRY_S)), &page);
    respond(StatusCode::SERVICE_UNAVAILABLE, view.lang, &page)
}

/// There is nothing at this address.
pub(in crate::web) fn missing(state: &HttpState, visit: &Visit) -> Response {
    nothing(&view(state, visit), None)
}

/// The reader's language.
pub(in crate::web) fn lang(state: &HttpState, visit: &Visit) -> Lang {
    view(state, visit).lang
}

/// The address of another page, in the language that was chosen.
pub(in crate::web) fn address(state: &HttpState, visit: &Visit, path: &str, query: &str) -> String {
    view(state, visit).link(path, query)
}
