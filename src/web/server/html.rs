//! Answers that are pages.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use maud::Markup;

use super::problem::{Problem, wants_page};
use crate::web::access::view as access;
use crate::web::ui::frame::{self};
use crate::web::ui::language;
use crate::web::ui::view::View;
use crate::words::Lang;

pub(in crate::web) fn respond(status: StatusCode, lang: Lang, markup: &Markup) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_LANGUAGE, lang.code()),
        (header::VARY, "Accept-Language"),
    ];
    (status, headers, markup.0.clone()).into_response()
}

/// Answers that the request cannot be understood, and why.
pub(in crate::web) fn refuse(view: &View<'_>, why: &str) -> Response {
    respond(StatusCode::BAD_REQUEST, view.lang, &frame::bad_request(view, why))
}

/// Nothing is at this path.
pub(in crate::web) async fn not_found(uri: Uri, headers: HeaderMap) -> Response {
    if !wants_page(&headers) || uri.path().starts_with("/api/") {
        return Problem::missing("there is nothing at this path").into_response();
    }
    let lang = language::accepted(&headers);
    respond(StatusCode::NOT_FOUND, lang, &frame::plain(lang, &uri, frame::not_found))
}

/// For a browser whose request was refused.
pub(in crate::web) fn refused(uri: &Uri, headers: &HeaderMap, problem: &Problem) -> Response {
    let lang = language::accepted(headers);
    let page = frame::plain(lang, uri, |view| access::refused(view, &problem.detail));
    respond(problem.status, lang, &page)
}

/// A refusal, as a page for a browser.
pub(in crate::web) fn refuse_request(request: &Request, problem: &Problem) -> Response {
    if wants_page(request.headers()) && !request.uri().path().starts_with("/api/") {
        return refused(request.uri(), request.headers(), problem);
    }
    problem.clone().into_response()
}
