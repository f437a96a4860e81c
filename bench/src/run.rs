//! Rounds in turns: the sides of a row, and the rows of a family, one after the other.

use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

use crate::figure::Figure;
use crate::rows::Row;
use crate::side::{Files, Shape, Side};
use crate::workdir::Workdir;

/// One for each end.
const WORKERS: usize = 2;
/// No round lasts longer.
const LONGEST: Duration = Duration::from_secs(60);
/// Memory differs little from round to round.
const IDLE_ROUNDS: usize = 3;
/// A quarter of what a machine often lets a process open.
const IDLE_LINES: u64 = 2000;
/// What a round is tried with first, and how it grows from there.
const FIRST_COUNT: u64 = 8;
const GROWTH: u32 = 4;

/// How much is measured.
pub(crate) struct Plan {
    /// Of each cell, after those that warm it up.
    pub(crate) rounds: usize,
    /// What a round should take.
    pub(crate) budget: Duration,
}

/// A row of one side, and what came of it.
pub(crate) struct Cell {
    pub(crate) row: &'static Row,
    pub(crate) side: &'static dyn Side,
    pub(crate) rounds: Vec<Figure>,
    count: u64,
}

/// Measures the rows of a family in turns, on those of `sides` that have their shapes.
pub(crate) fn run(
    rows: &[&'static Row],
    sides: &[&'static dyn Side],
    plan: &Plan,
    workdir: &mut Workdir,
) -> io::Result<Vec<Cell>> {
    let pairs = rows.iter().flat_map(|&row| sides.iter().map(move |&side| (row, side)));
    let mut cells: Vec<Cell> = pairs.filter_map(|(row, side)| Cell::new(row, side)).collect();
    for cell in &mut cells {
        cell.warm_up(plan.budget, workdir)?;
    }
    for turn in 0..plan.rounds {
        for cell in &mut cells {
            if cell.row.shape != Shape::Idle || turn < IDLE_ROUNDS {
                cell.rounds.push(cell.round(workdir)?);
            }
        }
    }
    Ok(cells)
}

/// One round in this process.
pub(crate) fn round(side: &dyn Side, shape: Shape, count: u64, files: Files) -> io::Result<Figure> {
    let round = side.round(shape, count, files).ok_or(io::ErrorKind::Unsupported)?;
    let mut runtime = Builder::new_multi_thread();
    let runtime = runtime.worker_threads(WORKERS).enable_all().build()?;
    // Spawned, or it would run on a third thread.
    let bounded = async { tokio::time::timeout(LONGEST, tokio::spawn(round)).await };
    let figure = runtime.block_on(bounded);
    runtime.shutdown_timeout(Duration::from_secs(1));
    figure??
}

impl Cell {
    fn new(row: &'static Row, side: &'static dyn Side) -> Option<Self> {
        let _has_it = side.round(row.shape, 0, Files::default())?;
        let count = if row.shape == Shape::Idle { IDLE_LINES } else { FIRST_COUNT };
        let rounds = Vec::new();
        Some(Self { row, side, rounds, count })
    }

    /// Grows the count until a round takes a good part of `budget`, then sets it to take it all.
    fn warm_up(&mut self, budget: Duration, workdir: &mut Workdir) -> io::Result<()> {
        let mut elapsed = Duration::ZERO;
        while self.row.shape != Shape::Idle && elapsed * GROWTH < budget {
            let start = Instant::now();
            let figure = self.round(workdir)?;
            // To open exchanges takes longer than what is measured while they are.
            elapsed = match self.row.shape {
                Shape::Lanes(_) => Duration::from_secs_f64(figure.value * 1e-9 * self.count as f64),
                _ => start.elapsed(),
            };
            let most = (self.count * u64::from(GROWTH)) as f64;
            let whole = self.count as f64 * budget.div_duration_f64(elapsed);
            self.count = (whole.min(most) as u64).max(FIRST_COUNT);
        }
        Ok(())
    }

    fn round(&self, workdir: &mut Workdir) -> io::Result<Figure> {
        let Self { row, side, count, .. } = *self;
        let figure = match row.shape {
            Shape::Idle => apart(row, side, count),
            Shape::File { .. } => workdir.prepare().and_then(|files| {
                let figure = round(side, row.shape, count, files.clone())?;
                workdir.check(&files.target).and(Ok(figure))
            }),
            _ => round(side, row.shape, count, Files::default()),
        };
        let named = |error| io::Error::other(format!("{} of {}: {error}", row.name, side.name()));
        figure.map_err(named)
    }
}

/// One round in a new process: memory that earlier rounds left would serve the lines unseen.
fn apart(row: &Row, side: &dyn Side, count: u64) -> io::Result<Figure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([row.name, "--only", side.name(), "--apart", &count.to_string()]);
    let output = command.output()?;
    let value = String::from_utf8_lossy(&output.stdout).trim().parse();
    let error = |_| io::Error::other(String::from_utf8_lossy(&output.stderr));
    value.map(|kib| Figure::new(kib, "KiB")).map_err(error)
}

#[cfg(test)]
#[test]
fn every_side_finishes_a_small_round_of_every_row_it_has() {
    let mut workdir = Workdir::new(std::env::temp_dir(), 3_000_001);
    for row in crate::rows::ROWS {
        for &side in crate::SIDES {
            if side.round(row.shape, 0, Files::default()).is_none() {
                continue;
            }
            let files = workdir.prepare().expect("the temporary folder is writable");
            let figure = round(side, row.shape, FIRST_COUNT, files.clone());
            let fine = figure.as_ref().is_ok_and(|it| it.value.is_finite());
            assert!(fine, "{} of {}: {figure:?}", row.name, side.name());
            let copies = matches!(row.shape, Shape::File { .. });
            assert_eq!(workdir.check(&files.target).is_ok(), copies, "{}", row.name);
        }
    }
}
