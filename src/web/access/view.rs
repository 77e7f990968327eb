//! Logging in, and the own account.

use std::net::IpAddr;
use std::time::Duration;

use maud::{Markup, html};

use crate::engine::gate::MAX_NAME;
use crate::record::access::{Principal, Role, Session, Via};
use crate::web::access::origin::Foreign;
use crate::web::ui::form::form_token;
use crate::web::ui::frame::{Place, framed};
use crate::web::ui::fresh::Fresh;
use crate::web::ui::parts::encode;
use crate::web::ui::view::View;
use crate::words::Lang;
use crate::words::pages::AccessText;

/// How one logs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::web) enum Way {
    /// Only the name is said.
    Name,
    Password,
    Provider,
    Proxy,
}

/// Why a login did not come about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::web) enum Notice {
    Wrong,
    TooMany(Duration),
    BadName,
    ProviderAway,
    ProviderRefused,
    BeginAgain,
    NoRole,
    /// The token is for somebody else than fleetwatch.
    OtherAudience,
    ClocksDiffer,
    BadToken,
    /// The claim that should hold the name.
    NoName(String),
    /// The claim that should hold the groups.
    NoGroups(String),
    GroupsLeftOut,
}

impl Notice {
    fn told(&self, view: &View<'_>) -> String {
        let text = view.lang.access();
        match self {
            Self::Wrong => text.wrong.to_owned(),
            Self::TooMany(wait) => (text.too_many)(&view.duration(wait.as_secs().saturating_add(1))),
            Self::BadName => text.bad_name.to_owned(),
            Self::ProviderAway => text.provider_away.to_owned(),
            Self::ProviderRefused => text.provider_refused.to_owned(),
            Self::BeginAgain => text.begin_again.to_owned(),
            Self::NoRole => text.no_role.to_owned(),
            Self::OtherAudience => text.other_audience.to_owned(),
            Self::ClocksDiffer => text.clocks_differ.to_owned(),
            Self::BadToken => text.bad_token.to_owned(),
            Self::NoName(claim) => (text.no_name)(claim),
            Self::NoGroups(claim) => (text.no_groups)(claim),
            Self::GroupsLeftOut => text.groups_left_out.to_owned(),
        }
    }
}

/// The login page. `next`: where the person wants to go.
pub(in crate::web) fn login(view: &View<'_>, way: Way, next: &str, notice: Option<Notice>) -> Markup {
    let text = view.lang.access();
    let title = if way == Way::Name { text.say_name } else { text.log_in };
    let body = html! {
        h1 { (title) }
        @if let Some(notice) = notice {
            div.banner.bad role="alert" { div { p { (notice.told(view)) } } }
        }
        @match way {
            Way::Name => { p { (text.say_name_detail) } (form(view, next, false)) },
            Way::Password => (form(view, next, true)),
            Way::Provider => p { a.button href=(view.link("/login/start", &format!("next={}", encode(next)))) { (text.to_provider) } },
            Way::Proxy => p { (text.by_proxy) },
        }
    };
    framed(view, title, Place::None, Fresh::Never, &body)
}

fn form(view: &View<'_>, next: &str, password: bool) -> Markup {
    let text = view.lang.access();
    html! {
        form.filter method="post" action=(view.link("/login", "")) {
            input type="hidden" name="next" value=(next);
            label { (text.name) input type="text" name="name" required maxlength=(MAX_NAME) autocomplete="username" autofocus; }
            @if password {
                label { (text.password) input type="password" name="password" required autocomplete="current-password"; }
            }
            button { (if password { text.log_in } else { text.keep_name }) }
        }
    }
}

/// The own account: who one is here, where one is logged in, and out.
/// `here`: the person's address, and whether it is one that many share.
pub(in crate::web) fn account(
    view: &View<'_>,
    principal: &Principal,
    ((address, shared), sessions): ((IpAddr, bool), &[Session]),
) -> Markup {
    let text = view.lang.access();
    let own = match &principal.via {
        Via::Session(fingerprint) => Some(*fingerprint),
        Via::Open | Via::Proxy | Via::Token { .. } => None,
    };
    let body = html! {
        h1 { (text.account) }
        dl.facts {
            dt { (text.name) } dd { (crate::web::ui::parts::name(&principal.name)) }
            dt { (text.role) } dd { (principal.role.title().pick(view.lang)) }
            @if principal.role == Role::Branch { dt { (text.branches) } dd { @for (nth, branch) in principal.branches.iter().enumerate() { @if nth > 0 { ", " } (crate::web::ui::parts::name(branch)) } } }
            dt { (text.address) } dd { (address) @if shared { " " span.note { (text.address_shared) } } }
        }
        @if principal.via == Via::Open { p { (text.say_name_detail) } (form(view, "/account", false)) }
        @if own.is_some() {
            section aria-labelledby="sessions" {
                h2 id="sessions" { (text.sessions) }
                ul { @for session in sessions { li {
                    (text.from) " " (session.address) ", " (text.begun) " " (view.date_time(session.begun_at)) ", "
                    (text.last_seen) " " (view.date_when(session.seen_at))
                    @if own == Some(session.fingerprint) { " (" (text.this_one) ")" }
                } } }
            }
            form.filter.screen method="post" action=(view.link("/logout", "")) {
                (form_token(view))
                button { (text.log_out) }
            }
            form.filter.screen method="post" action=(view.link("/logout/everywhere", "")) {
                (form_token(view))
                button { (text.everywhere) }
            }
        }
    };
    framed(view, text.account, Place::None, Fresh::Still, &body)
}

/// Why somebody elsewhere is not answered where only this machine is, and what to do.
pub(in crate::web) fn only_here(view: &View<'_>, sign: &Foreign) -> Markup {
    let text = view.lang.access();
    let body = html! {
        h1 { (text.only_here) }
        p { (text.only_here_why) " " (sign_of(text, sign)) }
        p { (text.only_here_do) }
        ul {
            li { code { "access.mode" } ": " code { "users" } ", " code { "oidc" } ", " code { "proxy" } }
            li { code { "http.public_url" } ": " (text.only_here_url) }
            li { code { "access.proxy.networks" } ": " (text.only_here_networks) }
        }
    };
    framed(view, text.only_here, Place::None, Fresh::Never, &body)
}

/// The same for a program.
pub(in crate::web) fn only_here_in_short(sign: &Foreign) -> String {
    let text = Lang::En.access();
    format!(
        "{} {} {} access.mode, http.public_url, access.proxy.networks",
        text.only_here_why,
        sign_of(text, sign),
        text.only_here_do
    )
}

fn sign_of(text: &AccessText, sign: &Foreign) -> String {
    match sign {
        Foreign::Peer => text.sign_peer.to_owned(),
        Foreign::Header(name) => (text.sign_header)(name),
        Foreign::Host => text.sign_host.to_owned(),
        Foreign::Version => text.sign_version.to_owned(),
        Foreign::Page => text.sign_page.to_owned(),
    }
}

/// For a browser whose request was refused.
pub(in crate::web) fn refused(view: &View<'_>, why: &str) -> Markup {
    let text = view.lang.access();
    let body = html! {
        h1 { (text.refused) }
        p lang="en" { (why) }
        p { a href=(view.link("/", "")) { (view.text().back) } }
    };
    framed(view, text.refused, Place::None, Fresh::Never, &body)
}
