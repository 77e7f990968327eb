//! The listener: what guards it, what watches it, what all answers share.
//!
//! | module | what it owns |
//! |---|---|
//! | `guard` | the `Host` header, the time limit, the headers of every answer |
//! | `health` | latches: what has to be open for the server to be ready |
//! | `listener` | connections: how many, and how slow the other end may be |
//! | `openapi` | the API's description |
//! | `probe` | for machines that watch this one |
//! | `problem` | errors as problem details, or as a page |
//! | `room` | who may be answered at a time |

pub(super) mod guard;
pub mod health;
pub(super) mod listener;
pub mod openapi;
pub(super) mod probe;
pub(super) mod problem;
pub(super) mod room;
