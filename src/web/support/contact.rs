//! Whom to call, for who may know.

use maud::{Markup, html};

use crate::record::incident::ContactEntry;
use crate::web::ui::parts::encode;
use crate::web::ui::view::View;

/// Whom to call, for who may know.
pub(in crate::web) fn line(view: &View<'_>, entry: Option<&ContactEntry>, may: bool) -> Markup {
    let text = view.lang.support();
    let Some(contact) = entry.filter(|_| may).map(|entry| &entry.contact) else {
        return html! { span.note { (if may { text.contact_none } else { text.contact_hidden }) } };
    };
    html! {
        @if let Some(name) = &contact.name { (crate::web::ui::parts::name(name)) " " }
        @if let Some(phone) = &contact.phone { a href=(format!("tel:{}", encode(phone))) { (phone) } " " }
        @if let Some(mail) = &contact.mail { a href=(format!("mailto:{}", encode(mail))) { (mail) } }
    }
}
