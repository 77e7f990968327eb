//! One device, and the list of them.
//!
//! | module | what it owns |
//! |---|---|
//! | `api` | devices, for programs |
//! | `filter` | which devices to show, and a page of them |
//! | `forget` | devices are taken out of the fleet |
//! | `history` | the last hours of a device |
//! | `list` | the list |
//! | `routes` | the handlers of the pages |
//! | `view` | the page of one |

pub(super) mod api;
pub(super) mod filter;
pub(super) mod forget;
pub(super) mod history;
pub(super) mod list;
pub(super) mod routes;
pub(super) mod view;
