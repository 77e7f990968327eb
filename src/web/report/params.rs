//! The morning report of a request: which time it asks for, and what the record and the last snapshot know of it.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::engine::time::Timestamp;
use crate::record::StoreError;
use crate::record::report::MorningReport;
use crate::web::server::state::HttpState;

/// From when, where nothing is said: the evening.
const EVENING: &str = "18:00";

/// Longest text of a time that is looked at.
const MAX_TEXT: usize = 64;

/// Parameters of page and API.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct ReportParams {
    /// A time: `18:00`, `24h`, or RFC 3339; empty: the last 18:00 before the end.
    pub(in crate::web) since: String,
    /// The same; empty: now.
    pub(in crate::web) until: String,
}

/// Why there is no report.
#[derive(Debug)]
pub(in crate::web) enum ReportError {
    /// This is no time.
    Moment(String),
    /// The beginning is not before the end.
    Backwards,
    Store(StoreError),
}

impl ReportParams {
    /// Reads the report that is asked for.
    pub(in crate::web) async fn report(&self, state: &HttpState) -> Result<MorningReport, ReportError> {
        let span = self.span(state)?;
        let snapshot = state.snapshot.load_full();
        let lives = state.lives().await;
        MorningReport::read((&*state.store, &lives), Some(&snapshot), span).await.map_err(ReportError::Store)
    }

    fn span(&self, state: &HttpState) -> Result<(Timestamp, Timestamp), ReportError> {
        let moment = |text: &str, now| {
            let short = text.len() <= MAX_TEXT;
            let wrong = || ReportError::Moment(text.chars().take(MAX_TEXT).collect());
            short.then(|| state.zone.moment(text, now).ok()).flatten().ok_or_else(wrong)
        };
        let now = state.clock.now();
        let until = if self.until.trim().is_empty() { now } else { moment(&self.until, now)? };
        let since = if self.since.trim().is_empty() { EVENING } else { &self.since };
        let since = moment(since, until)?;
        if since < until { Ok((since, until)) } else { Err(ReportError::Backwards) }
    }
}
