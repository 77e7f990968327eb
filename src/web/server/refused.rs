//! A form as it arrives, and why what it asks for was not done.

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::incident::Refusal;
use crate::record::incidents::IncidentError;
use crate::web::ui::fields::Fault;
use crate::words::pages::refusal;
use crate::words::{Lang, phrase};

/// A form as it arrives.
pub(in crate::web) type Filled = Result<Form<Vec<(String, String)>>, FormRejection>;

/// Why the desk did not do it, beside the field that it is about.
pub(in crate::web) fn fault_of(lang: Lang, error: &IncidentError) -> Fault {
    let field = match error {
        IncidentError::Refused(why) => field_of(why),
        _ => "",
    };
    Fault::new(field, told(lang, error))
}

/// The field that a refusal is about.
const fn field_of(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Reason => "reason",
        Refusal::Text | Refusal::Review => "text",
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
pub(in crate::web) const fn status_of(error: &IncidentError) -> StatusCode {
    match error {
        IncidentError::Unknown(_) => StatusCode::NOT_FOUND,
        IncidentError::Stale { .. } | IncidentError::Repeated => StatusCode::CONFLICT,
        IncidentError::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
        IncidentError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What the reader is told in short stands in full in the log.
pub(in crate::web) fn log(error: &IncidentError) {
    if let IncidentError::Store(error) = error {
        tracing::error!(reason = error.reason(), %error, "a request could not be recorded");
    }
}

pub(in crate::web) fn see_other(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, address.to_owned())]).into_response()
}

phrase! {
    /// Why nothing was done, as a sentence.
    fn told(lang: Lang, error: &IncidentError) -> String match error {
        IncidentError::Refused(why) => "{why}", "{why}", why = refusal::refusal(lang, why);
        IncidentError::Unknown(id) => "There is no incident {id}.", "障害 {id} は見つかりません。";
        IncidentError::Stale { .. } =>
            "The incident has changed since you looked. Check the new state and repeat.",
            "表示中に障害の内容が変わりました。最新の内容を確認してからやり直してください。";
        IncidentError::Repeated =>
            "This was carried out before. Reload the page and check.",
            "この操作はすでに実行されています。画面を更新して確認してください。";
        // The store's own words name paths of this machine: they are for the log.
        IncidentError::Store(error) =>
            "The record cannot be written at the moment ({reason}), so nothing has changed. Try again.",
            "記録に書き込めないため（{reason}）、何も変わっていません。もう一度お試しください。",
            reason = error.reason();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::StoreError;

    #[test]
    fn a_page_that_is_old_says_so() {
        let stale = IncidentError::Stale { seen: 1, now: 2 };
        assert!(told(Lang::En, &stale).starts_with("The incident has changed"));
        assert!(told(Lang::Ja, &stale).contains("やり直して"));
    }

    #[test]
    fn the_stores_words_stay_in_the_log() {
        let error = IncidentError::Store(StoreError::Unwritable { path: "/srv/x.db".into(), detail: "mode".into() });
        for lang in Lang::ALL {
            let told = told(lang, &error);
            assert!(told.contains("unwritable") && !told.contains("/srv"), "{told}");
        }
    }
}
