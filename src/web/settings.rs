//! What is in force, to read.
//!
//! | module | what it owns |
//! |---|---|
//! | `channels` | whether messages get through |
//! | `view` | the page |

pub(super) mod channels;
pub(super) mod view;
