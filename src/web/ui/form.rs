//! Pieces of forms: a label, a control, a hint, and the fault beside it with what was typed kept.

use maud::{Markup, html};

use super::parts::{Tone, badge};
use super::view::View;
use crate::record::access::Principal;
use crate::web::ui::fields::{Fault, Fields};

/// Name of the field of every form that says which session it was made in.
pub(in crate::web) const FORM_FIELD: &str = "form_token";

/// The hidden field without which a form is refused.
pub(in crate::web) fn form_token(view: &View<'_>) -> Markup {
    html! { input type="hidden" name=(FORM_FIELD) value=(view.form_token); }
}

/// A form that is being filled in.
pub(in crate::web) struct Form<'a> {
    pub(in crate::web) view: &'a View<'a>,
    /// What was typed, or what it begins with.
    pub(in crate::web) fields: &'a Fields,
    pub(in crate::web) faults: &'a [Fault],
}

impl Form<'_> {
    /// What was wrong, above the form, for whoever does not see the fields at once.
    pub(in crate::web) fn summary(&self) -> Markup {
        let text = self.view.lang.act();
        html! {
            @if !self.faults.is_empty() {
                div.banner.bad role="alert" {
                    span.mark aria-hidden="true" { (Tone::Bad.mark()) }
                    div {
                        h2 { (text.not_done) }
                        ul { @for fault in self.faults { li {
                            @if fault.field.is_empty() { (fault.text) }
                            @else { a href=(format!("#f-{}", fault.field)) { (fault.text) } }
                        } } }
                        p { (text.nothing_changed) }
                    }
                }
            }
        }
    }

    /// The hidden fields that every form has, and a name where nobody is asked who is there.
    pub(in crate::web) fn identity(&self) -> Markup {
        let text = self.view.lang.act();
        html! {
            (form_token(self.view))
            @if !self.view.principal.is_some_and(Principal::is_proved) {
                @let name = self.view.principal.map_or("", |who| who.name.as_str());
                (self.named("by", text.your_name, "", if self.fields.get("by").is_empty() { name } else { self.fields.get("by") }, true))
            }
        }
    }

    /// One line of text.
    pub(in crate::web) fn line(&self, name: &str, label: &str, hint: &str, required: bool) -> Markup {
        self.named(name, label, hint, self.fields.get(name), required)
    }

    fn named(&self, name: &str, label: &str, hint: &str, value: &str, required: bool) -> Markup {
        let control = html! {
            input id=(id(name)) name=(name) value=(value) required[required] autocomplete="off"
                aria-describedby=(notes(name)) aria-invalid=[self.invalid(name)];
        };
        self.field(name, label, hint, &control)
    }

    /// Several lines of text.
    pub(in crate::web) fn area(&self, name: &str, label: &str, hint: &str, rows: u32, required: bool) -> Markup {
        let control = html! {
            textarea id=(id(name)) name=(name) rows=(rows) required[required] aria-describedby=(notes(name))
                aria-invalid=[self.invalid(name)] { (self.fields.get(name)) }
        };
        self.field(name, label, hint, &control)
    }

    /// One of several values, each with its word.
    pub(in crate::web) fn select(&self, name: &str, label: &str, choices: &[(String, String)]) -> Markup {
        let chosen = self.fields.get(name);
        let control = html! {
            select id=(id(name)) name=(name) aria-describedby=(notes(name)) aria-invalid=[self.invalid(name)] {
                @for (value, word) in choices { option value=(value) selected[value == chosen] { (word) } }
            }
        };
        self.field(name, label, "", &control)
    }

    /// One of a few values, all of them in sight.
    pub(in crate::web) fn radios(&self, name: &str, label: &str, choices: &[(&str, &str)]) -> Markup {
        let chosen = Some(self.fields.get(name)).filter(|chosen| !chosen.is_empty());
        let chosen = chosen.or_else(|| choices.first().map(|(value, _)| *value));
        html! {
            fieldset.field id=(id(name)) {
                legend { (label) }
                (self.fault(name))
                @for (value, word) in choices { label.choice {
                    input type="radio" name=(name) value=(value) checked[Some(*value) == chosen]; " " (word)
                } }
            }
        }
    }

    fn field(&self, name: &str, label: &str, hint: &str, control: &Markup) -> Markup {
        html! {
            div.field {
                label for=(id(name)) { (label) }
                span id=(notes(name)) {
                    (self.fault(name))
                    @if !hint.is_empty() { span.note { (hint) } }
                }
                (control)
            }
        }
    }

    fn fault(&self, name: &str) -> Markup {
        let fault = self.faults.iter().find(|fault| fault.field == name);
        html! { @if let Some(fault) = fault { span.fault { (badge(Tone::Bad, &fault.text)) } } }
    }

    fn invalid(&self, name: &str) -> Option<&'static str> {
        self.faults.iter().any(|fault| fault.field == name).then_some("true")
    }
}

fn id(name: &str) -> String {
    format!("f-{name}")
}

fn notes(name: &str) -> String {
    format!("n-{name}")
}

/// A button that does one thing at once.
pub(in crate::web) fn tap(view: &View<'_>, path: &str, fields: &[(&str, &str)], word: &str) -> Markup {
    html! {
        form.tap method="post" action=(view.link(path, "")) {
            (form_token(view))
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button type="submit" { (word) }
        }
    }
}
