//! The words of the operators' pages, a table for each subject.

mod access;
mod act;
mod fresh;
mod gate;
mod incident;
mod night;
pub(crate) mod refusal;
mod refused;
pub(crate) mod story;
mod support;
mod text;

pub(crate) use self::access::AccessText;
pub(crate) use self::act::ActText;
pub(crate) use self::fresh::FreshText;
pub(crate) use self::gate::GateText;
pub(crate) use self::incident::IncidentText;
pub(crate) use self::night::NightText;
pub(crate) use self::refused::refused_reason;
pub(crate) use self::support::SupportText;
pub(crate) use self::text::Text;
use super::Lang;

impl Lang {
    /// Every word in this language.
    pub(crate) const fn text(self) -> &'static Text {
        Text::of(self)
    }

    /// The words about logging in, in this language.
    pub(crate) const fn access(self) -> &'static AccessText {
        AccessText::of(self)
    }

    /// The words about a page's age, in this language.
    pub(crate) const fn fresh(self) -> &'static FreshText {
        FreshText::of(self)
    }

    /// The words about the gates of updates, in this language.
    pub(crate) const fn gate(self) -> &'static GateText {
        GateText::of(self)
    }

    /// The words of report and evidence in this language.
    pub(crate) const fn night(self) -> &'static NightText {
        NightText::of(self)
    }

    /// The words of an incident's life in this language.
    pub(crate) const fn incident(self) -> &'static IncidentText {
        IncidentText::of(self)
    }

    /// The words of the forms in this language.
    pub(crate) const fn act(self) -> &'static ActText {
        ActText::of(self)
    }

    /// The words of the support desk, branches and devices in this language.
    pub(crate) const fn support(self) -> &'static SupportText {
        SupportText::of(self)
    }
}
