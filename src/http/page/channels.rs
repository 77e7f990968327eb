//! How the channels fare over which people are told: what does not get through, and a table of all of them.

use maud::{Markup, html};

use super::frame::View;
use super::parts::{Tone, badge, banner};
use crate::record::standing::{Board, Standing};

/// A channel by its name.
type Channel<'a> = (&'a String, &'a Standing);

/// What keeps people from being told, for the page of now; nothing while all is delivered.
pub(super) fn trouble(view: &View<'_>, channels: &Board) -> Markup {
    let text = view.lang.support();
    let standings = channels.standings();
    let failing: Vec<Channel<'_>> = standings.iter().filter(|(_, standing)| standing.failing_since.is_some()).collect();
    html! {
        @if !failing.is_empty() {
            (banner(Tone::Warn, "h2", text.not_told, &html! {
                ul { @for channel in failing { li { b { (channel.0) } " " (standing(view, channel)) } } }
                p { a href=(view.link("/settings", "")) { (text.channels) } }
            }))
        }
    }
}

/// Every channel.
pub(super) fn table(view: &View<'_>, channels: &Board) -> Markup {
    let text = view.lang.support();
    let standings = channels.standings();
    html! {
        section aria-labelledby="channels" {
            h2 id="channels" { (text.channels) }
            @if standings.is_empty() { p { (text.no_channels) } }
            @else {
                table.cards {
                    thead { tr {
                        th scope="col" { (text.channel) } th scope="col" { (text.channel_state) }
                        th scope="col" { (text.last_sent) } th scope="col" { (text.given_up) }
                    } }
                    tbody { @for (name, one) in &standings { tr {
                        th scope="row" { (name) }
                        td data-label=(text.channel_state) { (standing(view, (name, one))) }
                        td data-label=(text.last_sent) {
                            @match one.last_sent_at { Some(at) => { (view.date_time(at)) } None => { (text.never_sent) } }
                        }
                        td data-label=(text.given_up) { (one.given_up) }
                    } } }
                }
            }
        }
    }
}

fn standing(view: &View<'_>, (_, standing): Channel<'_>) -> Markup {
    let text = view.lang.support();
    let error = standing.last_error.as_ref();
    html! {
        @if let Some(since) = standing.failing_since {
            (badge(Tone::Warn, &(text.failing_since)(&view.zone.date_time(since, view.lang))))
            @if let Some((_, error)) = error { " " span.note lang="en" { (error) } }
        } @else if standing.given_up > 0 {
            (badge(Tone::Bad, text.refused))
            @if let Some((at, error)) = error { " " span.note { (view.date_time(*at)) " " span lang="en" { (error) } } }
        } @else if standing.last_sent_at.is_some() { (badge(Tone::Good, text.delivers)) }
        @else { (badge(Tone::Unknown, text.never_used)) }
    }
}
