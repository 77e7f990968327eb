//! Whether the journal's limit fits the file system that it is on.

use std::fs;
use std::path::Path;

use crate::config::Config;
use crate::journal::storage::{Disk, Space, Storage as _};

/// What is wrong with `journal.max_size_mib` on its file system, as key, value and rule; `None`: nothing, or the file system
/// cannot tell. It is no fault: the journal gives way on a disk that fills. But it keeps less than the limit promises.
pub fn warning(config: &Config) -> Option<String> {
    let dir = &config.journal.dir;
    let existing = dir.ancestors().find(|dir| dir.exists())?;
    // A relative path of one name has the empty one above it.
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let space = Disk.space(existing).ok()?;
    rule(config.journal.max_size_mib.into(), space, size(dir))
        .map(|rule| format!("journal.max_size_mib = {}: {} {rule}", config.journal.max_size_mib, dir.display()))
}

fn rule(max_mib: u64, Space { free, total }: Space, used: u64) -> Option<String> {
    let (total_mib, reach_mib) = (total >> 20, (free + used) >> 20);
    if max_mib > total_mib / 10 * 9 {
        let most = total_mib / 10 * 9;
        Some(format!(
            "is on a file system of {total_mib} MiB, and must leave a tenth of it to everything else there: at most {most}"
        ))
    } else if max_mib > reach_mib {
        Some(format!("can have {reach_mib} MiB at present: the rest of its file system is taken by others"))
    } else {
        None
    }
}

/// Bytes of the files in a directory; what cannot be read counts nothing.
fn size(dir: &Path) -> u64 {
    let Ok(items) = fs::read_dir(dir) else { return 0 };
    items.flatten().filter_map(|item| item.metadata().ok()).map(|data| data.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_its_file_system_cannot_hold_is_told_with_the_rule() {
        let space = |free_mib: u64, total_mib: u64| Space { free: free_mib << 20, total: total_mib << 20 };
        assert_eq!(rule(16_384, space(40_000, 50_000), 0), None);
        let small = rule(16_384, space(9_000, 10_000), 0).expect("too small");
        assert!(small.contains("at most 9000"), "{small}");
        let taken = rule(16_384, space(1_000, 50_000), 2_000 << 20).expect("taken");
        assert!(taken.contains("3000 MiB"), "{taken}");
        assert_eq!(rule(16_384, space(1_000, 50_000), 16_000 << 20), None, "what it has already counts");
        let here = Config::default();
        assert!(warning(&here).is_none_or(|text| text.starts_with("journal.max_size_mib = ")));
    }
}
