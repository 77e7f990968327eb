//! What the detector sees: events that nobody works on (yet), and what they rest on.
//!
//! | module | what it owns |
//! |---|---|
//! | `evidence` | what a suspect rests on, and the damage |
//! | `view` | an event, and the list of incidents |

pub(super) mod evidence;
pub(super) mod view;
