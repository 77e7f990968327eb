//! What every page is made of.
//!
//! | module | what it owns |
//! |---|---|
//! | `assets` | the style sheet, the script and the icon |
//! | `chart` | the arithmetic of axes |
//! | `fields` | what was typed into a form |
//! | `form` | pieces of forms |
//! | `fragment` | only the parts of a page that have changed |
//! | `frame` | what surrounds every page |
//! | `fresh` | how old a page is, and how it stays fresh |
//! | `language` | which language a reader asks for |
//! | `login` | where the login is, and where it leads back to |
//! | `markdown` | what people write in a review, as it is read |
//! | `parts` | pieces that several pages use |
//! | `plot` | the frame of a drawing over time |
//! | `strip` | the continuity proof as a drawing |
//! | `view` | how a page is looked at, and how instants and lengths read there |

pub(super) mod assets;
pub(super) mod chart;
pub(super) mod fields;
pub(super) mod form;
pub(super) mod fragment;
pub(super) mod frame;
pub(super) mod fresh;
pub(super) mod language;
pub(super) mod login;
pub(super) mod markdown;
pub(super) mod parts;
pub(super) mod plot;
pub(super) mod strip;
pub(super) mod view;
