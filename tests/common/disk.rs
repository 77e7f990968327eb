//! A disk that fails when a test says so, for any program: `disk.c`, preloaded.
//!
//! Whole kinds of fault are tried with it: the n-th write fails and then all go through, or everything fails until there is
//! room again. It reaches what a program does through libc, as the standard library and SQLite do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the control file is said to be.
const CONTROL: &str = "FLEETWATCH_DISK";

/// What fails, from the moment it is given to [`Disk::fail`].
#[derive(Clone, Debug)]
pub struct Fault {
    /// The error's number: [`Fault::NO_SPACE`] or [`Fault::IO`].
    pub errno: i32,
    /// Matching operations that go through first.
    pub skip: u64,
    /// Operations that fail after that; 0: all of them, until [`Disk::mend`].
    pub count: u64,
    /// Whether a failed write has written its first half.
    pub torn: bool,
    /// Letters: `w`rite, `s`ync, `t`runcate, `r`ename, `o`pen or make something new.
    pub operations: &'static str,
    /// Only paths that contain this.
    pub path: String,
}

impl Fault {
    pub const NO_SPACE: i32 = 28;
    pub const IO: i32 = 5;

    /// No room for anything below a path that contains `path`, until it is mended.
    pub fn full(path: impl Into<String>) -> Self {
        Self { errno: Self::NO_SPACE, skip: 0, count: 0, torn: false, operations: "wtro", path: path.into() }
    }

    /// The n-th operation from now on fails, counted from 1, and all others go through.
    pub fn nth(n: u64, path: impl Into<String>) -> Self {
        Self { skip: n - 1, count: 1, operations: "wstro", ..Self::full(path) }
    }
}

/// What lets a test's program fail. It goes with the test's directory.
#[derive(Debug)]
pub struct Disk {
    library: &'static Path,
    control: PathBuf,
}

impl Disk {
    /// Its files are made in `directory`, which is best apart from what is to fail. `None` with a message when there is no C compiler;
    /// on CI there has to be.
    pub fn new(directory: &Path) -> Option<Self> {
        let library = library()?;
        Some(Self { library, control: directory.join("disk.control") })
    }

    /// For a test whose own writes are to fail: runs it in a process of its own, on such a disk. Answers the disk there; here, where
    /// that process has ended well, `None`. `test` is the test's whole name, as `--exact` takes it.
    pub fn here(test: &str) -> Option<Self> {
        if let Some(control) = std::env::var_os(CONTROL) {
            return Some(Self { library: Path::new(""), control: control.into() });
        }
        let directory = tempfile::tempdir().unwrap();
        let disk = Self::new(directory.path())?;
        let mut again = Command::new(std::env::current_exe().unwrap());
        disk.under(again.args(["--exact", test, "--nocapture", "--test-threads=1"]));
        let ended = again.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout);
        println!("{said}{}", String::from_utf8_lossy(&ended.stderr));
        assert!(ended.status.success() && said.contains("1 passed"), "the test on the failing disk");
        None
    }

    /// The program will write to this disk, and so will what it starts.
    pub fn under(&self, command: &mut Command) {
        command.env("LD_PRELOAD", self.library).env(CONTROL, &self.control);
    }

    /// From now on it fails so; earlier faults are over, and what was counted starts anew.
    pub fn fail(&self, fault: &Fault) {
        self.mend();
        for mark in ["seen", "failed"] {
            let _ = fs::remove_file(self.mark(mark));
        }
        let Fault { errno, skip, count, torn, operations, path } = fault;
        let line = format!("{errno} {skip} {count} {} {operations} {path}\n", u8::from(*torn));
        // In one step: half a line would be no plan.
        let draft = self.control.with_extension("draft");
        fs::write(&draft, line).unwrap();
        fs::rename(&draft, &self.control).unwrap();
    }

    /// From now on nothing fails.
    pub fn mend(&self) {
        let _ = fs::remove_file(&self.control);
    }

    /// Operations that failed since the last [`fail`](Self::fail).
    pub fn failed(&self) -> u64 {
        fs::metadata(self.mark("failed")).map_or(0, |mark| mark.len())
    }

    /// Operations that the fault was about, failed or not, since the last [`fail`](Self::fail).
    pub fn seen(&self) -> u64 {
        fs::metadata(self.mark("seen")).map_or(0, |mark| mark.len())
    }

    fn mark(&self, what: &str) -> PathBuf {
        self.control.with_extension(format!("control.{what}"))
    }
}

/// The library, made once for each test binary that runs.
fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    LIBRARY.get_or_init(make).as_deref()
}

fn make() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/disk.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("disk.so");
    // Test binaries run side by side: it is made under a name of this one's own and put in place in one step.
    let draft = library.with_extension(std::process::id().to_string());
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&draft).arg(&source).args(["-ldl", "-lpthread"]);
    match cc.output() {
        Ok(made) => {
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            fs::rename(&draft, &library).unwrap();
            Some(library)
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "no C compiler: {error} (apt-get install gcc)");
            println!("skipped: no C compiler (apt-get install gcc)");
            None
        }
    }
}
