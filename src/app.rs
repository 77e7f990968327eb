//! The commands that do more than print, beside `serve`, and what shows a simulated fleet.
//!
//! | module | what it owns |
//! |---|---|
//! | [`record`] | what a broker delivers, written as a recording |
//! | [`replay`] | a recording or a journal, printed change by change |
//! | [`accounts`], `password` | `user` and `token`: who may, from the command line |
//! | [`backtest`] | a grid of settings over a recording or a journal, compared |
//! | [`explain`] | why an incident was declared, a near miss was not, a device was judged as it was |
//! | [`report`] | what a night amounted to |
//! | [`simulate`] | `simulate`: a fleet or a load against any broker |

pub mod accounts;
pub mod backtest;
pub mod explain;
mod password;
pub mod record;
pub mod replay;
pub mod report;
pub mod simulate;
