#![no_main]

#[path = "../../tests/interfaces/desk.rs"]
mod desk;
#[path = "../common/edit.rs"]
mod edit;
#[path = "../../tests/interfaces/life.rs"]
mod life;
#[path = "../../tests/interfaces/sample.rs"]
mod sample;
#[path = "../targets/events.rs"]
mod target;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| target::run(data));
