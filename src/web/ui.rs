//! What every page is made of.
//!
//! | module | what it owns |
//! |---|---|
//! | `assets` | the style sheet, the script and the icon |
//! | `chart` | the arithmetic of axes |
//! | `form` | pieces of forms |
//! | `frame` | what surrounds every page |
//! | `fresh` | how old a page is, and how it stays fresh |
//! | `parts` | pieces that several pages use |
//! | `strip` | the continuity proof as a drawing |
//! | `zone` | the zone in which people read times |

pub(super) mod assets;
pub(super) mod chart;
pub(super) mod form;
pub(super) mod frame;
pub(super) mod fresh;
pub(super) mod parts;
pub(super) mod strip;
pub(super) mod zone;
