//! What the detector sees: events that nobody works on (yet), and what they rest on.
//!
//! | module | what it owns |
//! |---|---|
//! | `api` | the same for programs |
//! | `evidence` | what a suspect rests on, and the damage |
//! | `routes` | the handlers of the pages |
//! | `view` | an event, and the list of incidents |

pub(super) mod api;
pub(super) mod evidence;
pub(super) mod routes;
pub(super) mod view;
