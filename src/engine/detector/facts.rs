//! What a device said of itself.

use bincode::{Decode, Encode};

use crate::engine::device::{Label, Status};
use crate::engine::time::Minute;

/// What a device said of itself, in event time.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub struct Facts {
    pub model: Option<Label>,
    pub branch: Option<Label>,
    pub firmware: Option<Label>,
    pub update: Option<Label>,
    pub update_installed: Option<Minute>,
    /// `name version` and install minute.
    pub packages: Vec<(Label, Option<Minute>)>,
    pub online: Option<bool>,
    pub workaround_active: Option<bool>,
    /// Kept until the boot's clock offset is known, because install times cannot be converted before.
    pub unconverted: Option<Status>,
}

/// What a device said of itself that its verdicts have nothing to do with.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct About {
    pub customer: Option<Label>,
    /// Of the last status that told of a workaround; `None` where that gave none.
    pub workaround_id: Option<Label>,
}
