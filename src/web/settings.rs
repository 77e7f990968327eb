//! What is in force, to read.
//!
//! | module | what it owns |
//! |---|---|
//! | `channels` | whether messages get through |
//! | `routes` | the handler |
//! | `view` | the page |

pub(super) mod channels;
pub(super) mod routes;
pub(super) mod view;
