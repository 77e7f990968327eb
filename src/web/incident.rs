//! An incident as people work on it: its page, its forms, its API.
//!
//! | module | what it owns |
//! |---|---|
//! | `act` | what is particular to each act: where it is offered, its controls, how it is read |
//! | `api` | the same for programs |
//! | `burndown` | the promise as a drawing |
//! | `controls` | controls that several forms share |
//! | `countermeasure` | workaround and fix |
//! | `followups` | what is left to do |
//! | `forms` | the forms, one page each |
//! | `ladder` | the devices and their steps |
//! | `next` | the one next thing to do, for the reader |
//! | `parse` | what was typed, read into a command |
//! | `parts` | an incident in a word, and where its pages are |
//! | `people` | roles and who answers for them |
//! | `review` | the review |
//! | `routes` | the handlers of what is read |
//! | `submit` | the handlers of the forms: `/incidents/{id}/do/{act}` |
//! | `timeline` | the record as a story |
//! | `view` | the page |

pub(super) mod act;
pub(super) mod api;
pub(super) mod burndown;
pub(super) mod controls;
pub(super) mod countermeasure;
pub(super) mod followups;
pub(super) mod forms;
pub(super) mod ladder;
pub(super) mod next;
pub(super) mod parse;
pub(super) mod parts;
pub(super) mod people;
pub(super) mod review;
pub(super) mod routes;
pub(super) mod submit;
pub(super) mod timeline;
pub(super) mod view;
