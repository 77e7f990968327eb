//! The usual figures of a process, from `/proc`. Absent where there is none.

use std::fs;

use super::names;
use super::text::Text;

/// Clock ticks a second in `/proc`: 100 for user space on every Linux architecture.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn write(text: &mut Text) {
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
        text.single(names::PROCESS_CPU, stat.cpu_ticks as f64 / TICKS_PER_SECOND);
        if let Some(boot) = fs::read_to_string("/proc/stat").ok().as_deref().and_then(boot_time_s) {
            text.single(names::PROCESS_START, boot as f64 + stat.start_ticks as f64 / TICKS_PER_SECOND);
        }
    }
    if let Some(kib) = fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident_kib) {
        text.single(names::PROCESS_MEMORY, kib * 1024);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // The directory's own descriptor is among them.
        text.single(names::PROCESS_OPEN_FDS, (open.count() as u64).saturating_sub(1));
    }
    if let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        text.single(names::PROCESS_MAX_FDS, limit);
    }
}

struct Stat {
    cpu_ticks: u64,
    start_ticks: u64,
}

impl Stat {
    /// `man 5 proc_pid_stat`: fields 14, 15 (user, system) and 22 (start), counted after the name in parentheses, which may
    /// itself hold spaces and parentheses.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self { cpu_ticks: field(14)? + field(15)?, start_ticks: field(22)? })
    }
}

fn boot_time_s(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn resident_kib(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 9 0 1234 0 0";
        let stat = Stat::parse(stat).unwrap();
        assert_eq!((stat.cpu_ticks, stat.start_ticks), (300, 1234));
        assert!(Stat::parse("7 (short) S 1").is_none());
    }

    #[test]
    fn the_files_of_proc_are_understood() {
        assert_eq!(boot_time_s("cpu 1 2\nbtime 1795305600\n"), Some(1_795_305_600));
        assert_eq!(resident_kib("VmPeak: 9 kB\nVmRSS:\t   5120 kB\n"), Some(5120));
    }
}
