//! Who is called, who answers, who is there.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::engine::effect::Scope;
use crate::incident::Act;
use crate::incident::muster::{Post, PostStatus};
use crate::incident::{Incident, Role, Rota, Seat};
use crate::record::access::Action;
use crate::web::ui::form::tap;
use crate::web::ui::parts::{Tone, badge};
use crate::web::ui::view::View;
use crate::words::names;

/// The board of people, with what one may do about it.
pub(in crate::web) fn section(view: &View<'_>, incident: &Incident, rota: Option<&Rota>, path: &str) -> Markup {
    let text = view.lang.incident();
    let seats = seats(incident, rota);
    let joined = view.principal.is_some_and(|who| incident.muster.present.contains_key(&who.name));
    html! {
        section id="people" data-live="" aria-labelledby="people-title" {
            h2 id="people-title" { (text.people) }
            @if incident.scope == Scope::Isolated { p { (text.no_muster) } }
            table.cards {
                thead { tr {
                    th scope="col" { (text.seat) } th scope="col" { (view.text().state) } th scope="col" { (text.holder) }
                    th scope="col" { (text.called) } th scope="col" { (text.answered) } td {}
                } }
                tbody { @for seat in &seats { (row(view, incident, seat, path)) } }
            }
            p { b { (text.present) } ": "
                @if incident.muster.present.is_empty() { (text.nobody_present) }
                @for (index, (person, at)) in incident.muster.present.iter().enumerate() {
                    @if index > 0 { ", " } (crate::web::ui::parts::name(person)) " " span.note { (view.time_s(*at)) }
                }
            }
            @if incident.is_open() && view.may(Action::TakePart) && !joined {
                (tap(view, &format!("{path}/do/join"), &[], (view.lang.act().act)(Act::Join)))
            }
            p.note { ((text.last_word)(&view.date_relative(incident.told_at))) }
        }
    }
}

/// Every role, and whatever else was called or will be.
fn seats(incident: &Incident, rota: Option<&Rota>) -> Vec<Seat> {
    let mut seats: BTreeSet<Seat> = Role::ALL.into_iter().map(Seat::of).collect();
    seats.extend(incident.muster.posts.keys().cloned());
    let concerned = |seat: &&Seat| {
        let branch = seat.branch.as_deref();
        branch.is_some_and(|branch| incident.open_devices().any(|(_, rung)| rung.branch.as_deref() == Some(branch)))
    };
    seats.extend(rota.into_iter().flat_map(|rota| rota.0.keys().filter(concerned).cloned()));
    seats.into_iter().collect()
}

fn row(view: &View<'_>, incident: &Incident, seat: &Seat, path: &str) -> Markup {
    let text = view.lang.incident();
    let nothing = Post::default();
    let post = incident.muster.posts.get(seat).unwrap_or(&nothing);
    html! {
        tr {
            th scope="row" { (names::seat(view.lang, seat)) }
            td data-label=(view.text().state) { (status_badge(view, incident.muster.status(seat))) }
            td data-label=(text.holder) { @match &post.holder { Some(holder) => b { (crate::web::ui::parts::name(holder)) }, None => (text.nobody) } }
            td data-label=(text.called) {
                @if post.paged.is_empty() { "-" } @else { (post.paged.join(", ")) }
                @if let Some(at) = post.paged_at { " " span.note { (view.when(at)) } }
                @if post.exhausted > 0 { " " (badge(Tone::Bad, &(text.unanswered)(post.exhausted))) }
            }
            td data-label=(text.answered) {
                @if post.acknowledged.is_empty() { "-" }
                @for (index, (person, at)) in post.acknowledged.iter().enumerate() {
                    @if index > 0 { ", " } (crate::web::ui::parts::name(person)) " " span.note { (view.time_s(*at)) }
                }
            }
            td.screen { @if incident.is_open() && view.may(Action::TakePart) { (buttons(view, seat, post, path)) } }
        }
    }
}

fn buttons(view: &View<'_>, seat: &Seat, post: &Post, path: &str) -> Markup {
    let act = view.lang.act().act;
    // One's own part may be handed on; another's is for whoever leads.
    let own = post.holder.is_some() && post.holder.as_deref() == view.principal.map(|who| who.name.as_str());
    let acknowledged = view.principal.is_some_and(|who| post.acknowledged.contains_key(&who.name));
    let seat = seat.to_string();
    html! {
        div.taps {
            @if !acknowledged { (tap(view, &format!("{path}/do/acknowledge"), &[("seat", &seat)], act(Act::Acknowledge))) }
            @if own || view.may(Action::Lead) {
                a.button href=(view.link(&format!("{path}/do/hand_over"), &format!("seat={}", crate::web::ui::parts::encode(&seat)))) {
                    (act(Act::HandOver))
                }
            }
        }
    }
}

/// Where a seat stands.
pub(in crate::web) fn status_badge(view: &View<'_>, status: PostStatus) -> Markup {
    let tone = match status {
        PostStatus::Uncalled => Tone::Unknown,
        PostStatus::Paged => Tone::Bad,
        PostStatus::Acknowledged => Tone::Warn,
        PostStatus::Joined => Tone::Good,
    };
    badge(tone, (view.lang.incident().post)(status))
}

/// Whole roles that were called and that nobody answers for.
pub(in crate::web) fn wanted(incident: &Incident) -> Vec<(&Seat, &Post)> {
    let open = incident.muster.posts.iter().filter(|(_, post)| post.paged_at.is_some() && post.holder.is_none());
    open.collect()
}
