//! Ropeway beside the raw socket and tarpc: the same shapes, in one run, in turns.
//!
//! Both ends of every line are in this process, on a tokio runtime of two workers, over 127.0.0.1
//! without delay. A round of one side is followed by a round of the next, and a figure is the
//! median of its rounds: rates drift by more than some sides differ, so only what ran side by
//! side compares. Times are `median / p99`. A missed target is no failure of the run.

#![forbid(unsafe_code)]

mod figure;
mod raw;
mod report;
mod rows;
mod run;
mod side;
mod tarpc;
mod workdir;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::report::Report;
use crate::rows::{ROWS, Row};
use crate::run::Plan;
use crate::side::{Files, Side};
use crate::workdir::Workdir;

/// Who takes part, in the order of the turns.
pub(crate) const SIDES: &[&dyn Side] = &[&raw::Raw, &tarpc::Tarpc];

const FULL: Plan = Plan {
    rounds: 9,
    budget: Duration::from_millis(400),
};
const QUICK: Plan = Plan {
    rounds: 3,
    budget: Duration::from_millis(150),
};

const FILE_SIZE: u64 = 1_000_000_000;
/// A folder in memory, so that no disk is measured.
const MEMORY: &str = "/dev/shm";

const USAGE: &str = "usage: ropeway-bench [OPTION...] [ROW...]
  ROW          a row, or the part of its name before a dash; all if none is given
  --list       name the rows
  --quick      fewer and shorter rounds
  --json       an object a line instead of the table
  --only SIDE  measure one side alone
  --dir DIR    where files of 2 GB may lie for a while; in memory by default";

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("error: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if args.list {
        args.rows.iter().for_each(|row| println!("{}", row.name));
        return ExitCode::SUCCESS;
    }
    if let Some(count) = args.apart {
        return apart(args.rows[0], args.sides[0], count);
    }
    let report = measure(&args);
    if args.json {
        report.json(&args.rows)
    } else {
        report.table(&args.rows)
    }
    let failures = report
        .failures()
        .inspect(|failure| eprintln!("error: {failure}"))
        .count();
    ExitCode::from(u8::from(failures > 0))
}

struct Args {
    rows: Vec<&'static Row>,
    sides: Vec<&'static dyn Side>,
    list: bool,
    json: bool,
    plan: &'static Plan,
    dir: PathBuf,
    /// How a run asks a process of its own for one round, of the first row and side.
    apart: Option<u64>,
}

impl Args {
    fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let memory = Some(PathBuf::from(MEMORY)).filter(|memory| memory.is_dir());
        let mut args = Self {
            rows: Vec::new(),
            sides: SIDES.to_vec(),
            list: false,
            json: false,
            plan: &FULL,
            dir: memory.unwrap_or_else(std::env::temp_dir),
            apart: None,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--list" => args.list = true,
                "--json" => args.json = true,
                "--quick" => args.plan = &QUICK,
                "--dir" => args.dir = value()?.into(),
                "--apart" => args.apart = Some(value()?.parse().map_err(|_| "not a count")?),
                "--only" => {
                    let name = value()?;
                    args.sides.retain(|side| side.name() == name);
                    if args.sides.is_empty() {
                        return Err(format!("no side {name}"));
                    }
                }
                asked => {
                    let before = args.rows.len();
                    args.rows.extend(
                        ROWS.iter()
                            .filter(|row| [row.name, row.family()].contains(&asked)),
                    );
                    if args.rows.len() == before {
                        return Err(format!("no row {asked}"));
                    }
                }
            }
        }
        if args.rows.is_empty() {
            args.rows.extend(ROWS);
        }
        Ok(args)
    }
}

fn measure(args: &Args) -> Report {
    let mut workdir = Workdir::new(args.dir.clone(), FILE_SIZE);
    remove_on_interrupt(workdir.path().to_owned());
    let mut cells = Vec::new();
    for rows in args
        .rows
        .chunk_by(|one, next| one.family() == next.family())
    {
        eprintln!("measuring {}", rows[0].family());
        cells.extend(run::run(rows, &args.sides, args.plan, &mut workdir));
    }
    Report(cells)
}

/// One round, its bare value on the standard output.
fn apart(row: &Row, side: &dyn Side, count: u64) -> ExitCode {
    match run::round(side, row.shape, count, Files::default()) {
        Ok(figure) => println!("{}", figure.value),
        Err(error) => eprintln!("{error}"),
    }
    ExitCode::SUCCESS
}

/// The files are large and lie in memory: they must not outlive the run.
fn remove_on_interrupt(folder: PathBuf) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        if runtime.is_ok_and(|runtime| runtime.block_on(tokio::signal::ctrl_c()).is_ok()) {
            let _ = std::fs::remove_dir_all(folder);
            std::process::exit(130);
        }
    });
}
