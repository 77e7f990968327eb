//! What the night amounted to.
//!
//! | module | what it owns |
//! |---|---|
//! | `params` | since when, until when |
//! | `view` | the page |

pub(super) mod params;
pub(super) mod view;
