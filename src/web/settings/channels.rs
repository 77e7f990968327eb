//! How the channels fare over which people are told: what does not get through, and a table of all of them.

use maud::{Markup, html};

use crate::record::channel_health::{ChannelHealth, ChannelsHealth};
use crate::record::outbox::{DispatchState, Untold};
use crate::web::ui::parts::{Tone, badge, banner};
use crate::web::ui::view::View;
use crate::words::Lang;

/// Messages that are named where people look.
const MAX_UNTOLD: usize = 10;

/// A channel by its name.
type Channel<'a> = (&'a String, &'a ChannelHealth);

/// What keeps people from being told, for the page of now; nothing while all is delivered.
pub(in crate::web) fn trouble(view: &View<'_>, channels: &ChannelsHealth) -> Markup {
    let text = view.lang.support();
    let standings = channels.by_channel();
    let fails = |standing: &ChannelHealth| standing.failing_since.is_some() || !standing.receivers.is_empty();
    let failing: Vec<Channel<'_>> = standings.iter().filter(|(_, standing)| fails(standing)).collect();
    html! {
        @if !failing.is_empty() {
            (banner(Tone::Warn, "h2", text.not_told, &html! {
                ul { @for channel in failing { li { b { (channel.0) } " " (standing(view, channel)) } } }
                p { a href=(view.link("/settings", "")) { (text.channels) } }
            }))
        }
        (untold(view, &channels.untold()))
    }
}

/// What has not got through for long: people have to be told another way.
fn untold(view: &View<'_>, all: &[Untold]) -> Markup {
    let text = view.lang.support();
    html! {
        @if !all.is_empty() {
            (banner(Tone::Bad, "h2", &(text.untold)(all.len()), &html! {
                p { (text.untold_hint) }
                ul { @for untold @ Untold { dispatch, error, .. } in all.iter().take(MAX_UNTOLD) { li {
                    a href=(view.link(&dispatch.message.path, "")) { (subject(view.lang, untold)) }
                    " " b { bdi { (dispatch.channel) " → " (dispatch.target) } } " " (view.date_time(dispatch.created_at))
                    @if dispatch.state == DispatchState::Failed { " " (badge(Tone::Bad, text.refused)) }
                    @if let Some(error) = error { " " span.note lang="en" { (error) } }
                } }
                @if all.len() > MAX_UNTOLD { li { "… +" (all.len() - MAX_UNTOLD) } } }
            }))
        }
    }
}

fn subject(lang: Lang, untold: &Untold) -> &str {
    untold.dispatch.message.subject.in_lang(lang)
}

/// Every channel.
pub(in crate::web) fn table(view: &View<'_>, channels: &ChannelsHealth) -> Markup {
    let text = view.lang.support();
    let standings = channels.by_channel();
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
                            @match one.last_sent_at { Some(at) => { (view.date_when(at)) } None => { (text.never_sent) } }
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
            (badge(Tone::Warn, &(text.failing_since)(&view.date_relative(since))))
            @if let Some((_, error)) = error { " " span.note lang="en" { (error) } }
        } @else if standing.given_up > 0 {
            (badge(Tone::Bad, text.refused))
            @if let Some((at, error)) = error { " " span.note { (view.date_time(*at)) " " span lang="en" { (error) } } }
        } @else if standing.last_sent_at.is_some() { (badge(Tone::Good, text.delivers)) }
        @else if standing.receivers.is_empty() { (badge(Tone::Unknown, text.never_used)) }
        @for (receiver, failing) in standing.receivers.iter().take(MAX_UNTOLD) {
            " " b { bdi { (receiver) } } " "
            (badge(Tone::Warn, &(text.receiver_failing_since)(&view.date_relative(failing.since))))
            " " span.note lang="en" { (failing.error) }
        }
    }
}
