//! The listener: what guards it, what watches it, what all answers share.
//!
//! | module | what it owns |
//! |---|---|
//! | `guard` | the `Host` header, the time limit, the headers of every answer |
//! | `health` | latches: what has to be open for the server to be ready |
//! | `html` | answers that are pages |
//! | `idempotency` | the same write twice is one |
//! | `listener` | connections: how many, and how slow the other end may be |
//! | `openapi` | the API's description |
//! | `page` | what every handler of a page begins and ends with |
//! | `probe` | for machines that watch this one |
//! | `problem` | errors as problem details |
//! | `refused` | a form as it arrives, and why it was not done |
//! | `room` | who may be answered at a time |
//! | `schema` | shapes of answers that the API's description names |
//! | `state` | what the pages show, and where they get it from |
//! | `streams` | room for streams of events |

pub(super) mod guard;
pub mod health;
pub(super) mod html;
pub(super) mod idempotency;
pub(super) mod listener;
pub mod openapi;
pub(super) mod page;
pub(super) mod probe;
pub(super) mod problem;
pub(super) mod refused;
pub(super) mod room;
pub(super) mod schema;
pub(super) mod state;
pub(super) mod streams;
