//! Is anything wrong? The first page, and the wall.
//!
//! | module | what it owns |
//! |---|---|
//! | `routes` | the handlers |
//! | `trend` | the last hours of the fleet |
//! | `view` | the first page |
//! | `wall` | what is open, for a screen on the wall |

pub(super) mod routes;
pub(super) mod trend;
pub(super) mod view;
pub(super) mod wall;
