//! Words for people: the two languages, a text in both, and how its pairs are written down side by side.
//!
//! A text stands where it is used, or in a table beside its subject, always as a pair: English, then Japanese. Tables are made by
//! [`words!`], functions that choose among texts by [`phrase!`], single pairs by [`say`].
//!
//! | module | what it owns |
//! |---|---|
//! | [`lang`] | the languages, a text in both of them |
//! | [`length`] | lengths of time |
//! | [`names`] | what states, steps, roles and the like are called everywhere |
//! | [`number`] | counts, shares, certainties |
//! | `pages` | the tables of the operators' pages |
//! | `table` | the macros that take pairs side by side |
//! | [`zone`] | instants, in the readers' time zone |

pub mod lang;
pub mod length;
pub mod names;
pub mod number;
pub(crate) mod pages;
mod table;
pub mod zone;

pub use self::lang::{Both, Lang, Languages, say};
pub(crate) use self::table::{phrase, words};
pub use self::zone::Zone;
