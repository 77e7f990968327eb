//! A branch, and the list of them.
//!
//! | module | what it owns |
//! |---|---|
//! | `view` | the pages |

pub(super) mod view;
