//! What the night amounted to.
//!
//! | module | what it owns |
//! |---|---|
//! | `api` | the same for programs |
//! | `params` | since when, until when |
//! | `routes` | the handler of the page |
//! | `view` | the page |

pub(super) mod api;
pub(super) mod params;
pub(super) mod routes;
pub(super) mod view;
