//! A copy of the workspace with all faults in it, and the suite that was built there.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fs, io};

use ropeway_conformance::{block_on, watchdog};

use crate::table::{FAULTS, Fault};

/// Which fault is on.
const SWITCH: &str = "ROPEWAY_FAULT";
/// Reads the switch. At the end of core, on which everything else stands.
const HELPER: &str = r#"
extern crate self as ropeway_core;
extern crate std as seeded_std;

/// Whether the fault of this name is on.
pub fn fault(name: &str) -> bool {
    static ON: seeded_std::sync::OnceLock<Option<seeded_std::string::String>> = seeded_std::sync::OnceLock::new();
    ON.get_or_init(|| seeded_std::env::var("SWITCH").ok()).as_deref() == Some(name)
}
"#;
/// A scenario takes well below a second; with a fault it may hang, and is not waited for as long as it would be.
const PATIENCE: &str = "5";
/// Longer than any run takes: each has a watchdog of its own.
const LIMIT: Duration = Duration::from_secs(120);
/// What a test harness ends with when a test has failed.
const FAILED: i32 = 101;

/// The suite with all faults in it, none of them on.
#[derive(Debug)]
pub(crate) struct Suite {
    program: PathBuf,
    /// For its files: who hangs with a fault does not clear them away.
    temp: PathBuf,
}

/// What came of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    /// By an assertion, or by the watchdog.
    Failed,
    /// There is none of this name.
    WasNotFound,
    /// It came to no verdict.
    Broke,
}

impl Suite {
    /// The suite, built when it is first asked for.
    pub(crate) fn seeded() -> Result<&'static Suite, &'static String> {
        static SUITE: OnceLock<Result<Suite, String>> = OnceLock::new();
        SUITE.get_or_init(build).as_ref()
    }

    /// Runs one scenario, maybe with a fault; what came of it, and what it said.
    pub(crate) fn run(&self, scenario: &str, fault: Option<&str>) -> (Outcome, String) {
        let mut program = Command::new(&self.program);
        program.args(["--exact", scenario]).env_remove(SWITCH).env("TMPDIR", &self.temp);
        if let Some(fault) = fault {
            program.env(SWITCH, fault).env(watchdog::PATIENCE, PATIENCE);
        }
        let output = block_on(watchdog::watchdog(scenario, LIMIT, async { program.output() }));
        let output = output.expect("what was built can be run");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let outcome = match output.status.code() {
            _ if !said.contains("running 1 test\n") => Outcome::WasNotFound,
            Some(0) => Outcome::Passed,
            Some(FAILED | watchdog::HUNG) => Outcome::Failed,
            _ => Outcome::Broke,
        };
        (outcome, said)
    }
}

fn build() -> Result<Suite, String> {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults");
    let workspace = own.join("workspace");
    let mut files = sources().map_err(|error| format!("the workspace can't be read: {error}"))?;
    seed(&mut files)?;
    write(&workspace, &files).map_err(|error| format!("the workspace can't be copied: {error}"))?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["test", "--no-run", "--locked", "--package", "ropeway-tokio", "--test", "suite"]);
    cargo.args(["--message-format", "json-render-diagnostics", "--target-dir"]).arg(own.join("target"));
    cargo.current_dir(&workspace).env("CARGO_PROFILE_DEV_DEBUG", "0");
    // Build scripts that look at these would run anew whenever this test is begun in another way.
    let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
        cargo.env_remove(name);
    }
    let output = cargo.output().map_err(|error| format!("cargo can't be run: {error}"))?;
    let program = executable(&String::from_utf8_lossy(&output.stdout)).filter(|_| output.status.success());
    let said = || format!("the suite with the faults can't be built: {}", String::from_utf8_lossy(&output.stderr));
    let program = program.ok_or_else(said)?;
    let temp = own.join("temp");
    let emptied = fs::remove_dir_all(&temp).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    });
    emptied.and_then(|()| fs::create_dir(&temp)).map_err(|error| format!("files have no place: {error}"))?;
    Ok(Suite { program, temp })
}

/// The program of the suite, among cargo's messages.
fn executable(messages: &str) -> Option<PathBuf> {
    let message =
        messages.lines().find(|line| line.contains(r#""kind":["test"],"#) && line.contains(r#""name":"suite""#))?;
    let (path, _) = message.split_once(r#""executable":""#)?.1.split_once('"')?;
    Some(path.replace(r"\\", r"\").into())
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What the workspace is made of: its manifest and lock, and the folders that have a manifest.
fn sources() -> io::Result<Files> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Files::new();
    for name in ["Cargo.toml", "Cargo.lock"] {
        files.insert(name.into(), fs::read(root.join(name))?);
    }
    for entry in fs::read_dir(&root)? {
        let path = entry?.path();
        if path.join("Cargo.toml").exists() {
            walk(&root, &path, &mut |name, path| {
                files.insert(name, fs::read(path)?);
                Ok(())
            })?;
        }
    }
    Ok(files)
}

/// Every file of a folder, by its name below `root`, but what cargo has built.
fn walk(root: &Path, folder: &Path, visit: &mut impl FnMut(PathBuf, &Path) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.strip_prefix(root).expect("it was found there").to_owned();
        match path.is_dir() {
            true if name.ends_with("target") => {}
            true => walk(root, &path, visit)?,
            false => visit(name, &path)?,
        }
    }
    Ok(())
}

/// Puts all faults in their places, each behind the switch.
fn seed(files: &mut Files) -> Result<(), String> {
    let mut places: BTreeMap<&str, Vec<(Range<usize>, &Fault)>> = BTreeMap::new();
    for fault in FAULTS {
        let place = place(files, fault).map_err(|why| format!("fault {}: {why}", fault.name))?;
        places.entry(fault.file).or_default().push((place, fault));
    }
    for (file, mut places) in places {
        let text = files.get_mut(Path::new(file)).expect("a fault was found there");
        // From the end, so that what comes before stays where it is.
        places.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
        for (place, Fault { name, good, bad, .. }) in places {
            let both = format!("{{ if ::ropeway_core::fault({name:?}) {{ {bad} }} else {{ {good} }} }}");
            text.splice(place, both.into_bytes());
        }
    }
    // Code that is of no use with a mistake in it, or in its braces, is no matter.
    for root in ["core/src/lib.rs", "driver/src/lib.rs"] {
        let text = files.get_mut(Path::new(root)).ok_or("a crate is not where it was")?;
        text.splice(..0, *b"#![allow(warnings)]\n");
    }
    let core = files.get_mut(Path::new("core/src/lib.rs")).ok_or("core is not where it was")?;
    core.extend_from_slice(HELPER.replace("SWITCH", SWITCH).as_bytes());
    Ok(())
}

/// Where the code is that a fault replaces.
fn place(files: &Files, fault: &Fault) -> Result<Range<usize>, String> {
    let text = files.get(Path::new(fault.file)).ok_or_else(|| format!("there is no {}", fault.file))?;
    let text = str::from_utf8(text).map_err(|error| error.to_string())?;
    let wanted = [fault.good, fault.then].concat();
    match text.matches(&wanted).count() {
        1 => Ok(text.find(&wanted).map_or(0..0, |at| at..at + fault.good.len())),
        times => Err(format!("{} has this {times} times instead of once:\n{wanted}", fault.file)),
    }
}

/// Makes a folder hold these files and no others, and touches none that it holds already.
fn write(folder: &Path, files: &Files) -> io::Result<()> {
    for (name, text) in files {
        let path = folder.join(name);
        if fs::read(&path).ok().as_ref() != Some(text) {
            fs::create_dir_all(path.parent().expect("it is in a folder"))?;
            fs::write(path, text)?;
        }
    }
    walk(folder, folder, &mut |name, path| if files.contains_key(&name) { Ok(()) } else { fs::remove_file(path) })
}
