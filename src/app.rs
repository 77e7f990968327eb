//! The commands that do more than print, beside `serve`, and what shows a simulated fleet.
//!
//! | module | what it owns |
//! |---|---|
//! | [`demo`] | `demo`: broker, core, pages and a simulated fleet in one process |
//! | [`record`] | what a broker delivers, written as a recording |
//! | [`replay`] | a recording or a journal, printed change by change |
//! | [`accounts`], `password` | `user` and `token`: who may, from the command line |
//! | [`backtest`] | a grid of settings over a recording or a journal, compared |
//! | [`explain`] | why an incident was declared, a near miss was not, a device was judged as it was |
//! | [`report`] | what a night amounted to |
//! | [`live`] | what `demo` shows: events that scroll above a panel, or plain lines |
//! | [`score`] | `score`: the detection benchmark |
//! | [`simulate`] | `simulate`: a fleet or a load against any broker |

pub mod accounts;
pub mod backtest;
pub mod demo;
pub mod explain;
pub mod live;
mod password;
pub mod record;
pub mod replay;
pub mod report;
pub mod score;
pub mod simulate;
