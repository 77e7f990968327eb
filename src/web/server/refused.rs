//! A form as it arrives, and why what it asks for was not done.

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::incident::Refusal;
use crate::record::incidents::DeskError;
use crate::web::lang::{Lang, refusal};
use crate::web::ui::fields::Fault;

/// A form as it arrives.
pub(in crate::web) type Filled = Result<Form<Vec<(String, String)>>, FormRejection>;

/// Why the desk did not do it, beside the field that it is about.
pub(in crate::web) fn fault_of(lang: Lang, error: &DeskError) -> Fault {
    let field = match error {
        DeskError::Refused(why) => field_of(why),
        _ => "",
    };
    Fault::new(field, refusal::desk_error(lang, error))
}

/// The field that a refusal is about.
const fn field_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Reason => "reason",
        Refusal::Text => "text",
        Refusal::Name | Refusal::Held { .. } => "to",
        Refusal::NotADevice(_) | Refusal::NoDevice | Refusal::AllDevices => "devices",
        Refusal::Script => "script_ja",
        Refusal::Due => "fix_due",
        Refusal::Order(_) | Refusal::Measured => "instant",
        Refusal::Calls { .. } => "kind",
        Refusal::NobodyCalled => "direction",
        _ => "",
    }
}

/// The status of an answer that shows the form again.
pub(in crate::web) const fn status_of(error: &DeskError) -> StatusCode {
    match error {
        DeskError::Unknown(_) => StatusCode::NOT_FOUND,
        DeskError::Stale { .. } | DeskError::Repeated => StatusCode::CONFLICT,
        DeskError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        DeskError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What the reader is told in short stands in full in the log.
pub(in crate::web) fn log(error: &DeskError) {
    if let DeskError::Store(error) = error {
        tracing::error!(reason = error.reason(), %error, "a wish could not be recorded");
    }
}

pub(in crate::web) fn see_other(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, address.to_owned())]).into_response()
}
