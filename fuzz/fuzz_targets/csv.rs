#![no_main]

#[path = "../common/edit.rs"]
mod edit;
#[path = "../targets/csv.rs"]
mod target;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| target::run(data));
