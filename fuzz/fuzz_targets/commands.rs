#![no_main]

#[path = "../common/edit.rs"]
mod edit;
#[path = "../common/site.rs"]
mod site;
#[path = "../targets/commands.rs"]
mod target;

use libfuzzer_sys::fuzz_target;
// The modules of the tests name each other from the root.
use site::{desk, life, sample};

fuzz_target!(|data: &[u8]| target::run(data));
