//! The style sheet, the script and the icon: all that a page loads.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;

const STYLE: &str = concat!(include_str!("style.css"), include_str!("work.css"));

/// Pages work without it; with it they stay fresh by themselves.
const SCRIPT: &str = include_str!("live.js");

const ICON: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"7\" \
     fill=\"#1b4f8f\"/><path d=\"M8 3.5V8l3 2\" fill=\"none\" stroke=\"#fff\" stroke-width=\"1.8\" \
     stroke-linecap=\"round\"/></svg>";

/// Path of the style sheet with its checksum, so that it may be cached for good and still changes with the program.
pub(in crate::web) static STYLE_PATH: LazyLock<String> =
    LazyLock::new(|| format!("/assets/style.css?v={:08x}", crc32c::crc32c(STYLE.as_bytes())));

/// The same for the script.
pub(in crate::web) static SCRIPT_PATH: LazyLock<String> =
    LazyLock::new(|| format!("/assets/live.js?v={:08x}", crc32c::crc32c(SCRIPT.as_bytes())));

const FOR_GOOD: &str = "public, max-age=31536000, immutable";

pub(in crate::web) async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, FOR_GOOD)], STYLE)
}

pub(in crate::web) async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, FOR_GOOD)], SCRIPT)
}

pub(in crate::web) async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")], ICON)
}
