//! Ropeway on each runtime, beside the raw transport on the same one and tarpc: the same shapes, in one run, in turns.
//!
//! Both ends of every line are in one process, on a runtime with two threads for its tasks unless told otherwise, over 127.0.0.1
//! without delay.
//! A round of one side is followed by a round of the next, each in a process of its own, and a figure is the median of
//! its rounds: rates drift by more than some sides differ, so only what ran side by side compares. Times are
//! `median / p99`. A missed target is no failure of the run.

#![forbid(unsafe_code)]

mod figure;
mod home;
mod raw;
mod report;
mod ropeway;
mod rows;
mod run;
mod sealed;
mod side;
mod target;
mod tarpc;
mod wire;
mod workdir;

use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ropeway_async_std::AsyncStd;
use ropeway_smol::Smol;
use ropeway_tokio::Tokio;

use crate::rows::{ROWS, Row};
use crate::run::Plan;
use crate::side::{Files, Side};
use crate::workdir::Workdir;

/// Who takes part, in the order of the turns.
pub(crate) const SIDES: &[&dyn Side] = &[
    &raw::Raw::<Tokio>::HERE,
    &ropeway::Ropeway::<Tokio>::HERE,
    &raw::Raw::<Smol>::HERE,
    &ropeway::Ropeway::<Smol>::HERE,
    &raw::Raw::<AsyncStd>::HERE,
    &ropeway::Ropeway::<AsyncStd>::HERE,
    &tarpc::Tarpc,
];

/// One for each end.
const THREADS: NonZero<usize> = NonZero::new(2).expect("it is not zero");
/// Rather many short rounds than few long ones: where its tasks run is decided once a round.
const FULL: Plan = Plan { rounds: 11, budget: Duration::from_millis(200), threads: THREADS };
const QUICK: Plan = Plan { rounds: 5, budget: Duration::from_millis(100), threads: THREADS };

/// No round lasts longer.
const LONGEST: Duration = Duration::from_secs(60);
const FILE_SIZE: u64 = 1_000_000_000;
/// A folder in memory, so that no disk is measured.
const MEMORY: &str = "/dev/shm";

const USAGE: &str = "usage: ropeway-bench [OPTION...] [ROW...]
  ROW          a row, or the part of its name before a dash; all if none is given
  --list       name the rows
  --quick      fewer and shorter rounds
  --json       an object a line instead of the table
  --only SIDE  measure one side, or all of a kind or on a runtime: raw-smol, ropeway, tokio
  --threads N  how many run the tasks of a runtime, instead of 2";

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("error: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let done = match &args.apart {
        Some((count, files)) => apart(args.rows[0], args.sides[0], *count, files.clone()),
        None => measure(&args),
    };
    if let Err(error) = done {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[derive(Default)]
struct Args {
    rows: Vec<&'static Row>,
    sides: Vec<&'static dyn Side>,
    list: bool,
    json: bool,
    quick: bool,
    threads: Option<NonZero<usize>>,
    /// How a run asks a process of its own for one round, of the first row and side: a count and two paths.
    apart: Option<(u64, Files)>,
}

impl Args {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self::default();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--list" => args.list = true,
                "--json" => args.json = true,
                "--quick" => args.quick = true,
                "--threads" => {
                    args.threads = Some(value()?.parse().map_err(|_| "--threads needs a number above 0")?);
                }
                "--apart" => {
                    let count = value()?.parse().map_err(|_| "no count")?;
                    let (source, target) = (value()?.into(), value()?.into());
                    args.apart = Some((count, Files { source, target }));
                }
                "--only" => {
                    let name = value()?;
                    let asked = |side: &&&dyn Side| [&side.name(), side.kind(), side.home()].contains(&name.as_str());
                    let before = args.sides.len();
                    args.sides.extend(SIDES.iter().filter(asked));
                    if args.sides.len() == before {
                        return Err(format!("no side {name}"));
                    }
                }
                _ => {
                    let asked = |row: &&Row| word == row.name || word == row.family();
                    let before = args.rows.len();
                    args.rows.extend(ROWS.iter().filter(asked));
                    if args.rows.len() == before {
                        return Err(format!("no row {word}"));
                    }
                }
            }
        }
        if args.rows.is_empty() {
            args.rows.extend(ROWS);
        }
        if args.sides.is_empty() {
            args.sides.extend(SIDES);
        }
        Ok(args)
    }
}

fn measure(args: &Args) -> io::Result<()> {
    if args.list {
        args.rows.iter().for_each(|row| println!("{}", row.name));
        return Ok(());
    }
    let memory = Some(PathBuf::from(MEMORY)).filter(|memory| memory.is_dir());
    let base = memory.unwrap_or_else(std::env::temp_dir);
    let mut workdir = Workdir::new(base, FILE_SIZE);
    remove_on_interrupt(workdir.path().to_owned());
    let mut plan = if args.quick { QUICK } else { FULL };
    plan.threads = args.threads.unwrap_or(plan.threads);
    if !args.json {
        report::print_head(plan.threads);
    }
    for rows in args.rows.chunk_by(|one, next| one.family() == next.family()) {
        let cells = run::run(rows, &args.sides, &plan, &mut workdir)?;
        if args.json {
            report::print_json(&cells);
        } else {
            rows.iter().for_each(|row| report::print_row(row, &cells));
        }
    }
    Ok(())
}

/// One round, told on the standard output.
fn apart(row: &Row, side: &dyn Side, count: u64, files: Files) -> io::Result<()> {
    std::thread::spawn(|| {
        std::thread::sleep(LONGEST);
        eprintln!("error: the round took longer than {LONGEST:?}");
        std::process::exit(1);
    });
    let (figure, took) = run::round(side, row.round(count, files))?;
    println!("{} {}", took.as_micros(), figure.told());
    Ok(())
}

/// The files are large and lie in memory: they must not outlive the run.
fn remove_on_interrupt(folder: PathBuf) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if runtime.is_ok_and(|runtime| runtime.block_on(tokio::signal::ctrl_c()).is_ok()) {
            let _ = std::fs::remove_dir_all(folder);
            std::process::exit(130);
        }
    });
}
