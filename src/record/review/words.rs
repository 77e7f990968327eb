//! Words that only the review needs.

use super::cell;
use crate::incident::Audience;
use crate::words::{Lang, phrase};

phrase! {
    /// Who was told.
    pub fn audience(lang: Lang, audience: &Audience) -> String match audience {
        Audience::People(people) => "{people}", "{people}", people = cell(&people.join(", "));
        Audience::Staff => "staff", "関係者";
        Audience::SupportQueue => "support", "サポート";
    }
}
