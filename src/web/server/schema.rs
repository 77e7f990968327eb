//! Shapes of answers that the API's description names.

use serde::Serialize;
use utoipa::ToSchema;

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
