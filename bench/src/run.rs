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
const IDLE_LINES: u64 = 2000;
/// What a round is tried with first, and how it grows from there.
const FIRST_COUNT: u64 = 8;
const GROWTH: u64 = 4;

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
    /// Ends the measuring of this cell, not of others.
    pub(crate) failure: Option<io::Error>,
    count: u64,
}

/// Measures the rows of a family in turns, on those of `sides` that have their shapes.
pub(crate) fn run(
    rows: &[&'static Row],
    sides: &[&'static dyn Side],
    plan: &Plan,
    workdir: &mut Workdir,
) -> Vec<Cell> {
    let pairs = rows
        .iter()
        .flat_map(|&row| sides.iter().map(move |&side| (row, side)));
    let mut cells: Vec<Cell> = pairs
        .filter_map(|(row, side)| Cell::new(row, side))
        .collect();
    cells
        .iter_mut()
        .for_each(|cell| cell.warm_up(plan.budget, workdir));
    for turn in 0..plan.rounds {
        for cell in &mut cells {
            if cell.row.shape != Shape::Idle || turn < IDLE_ROUNDS {
                cell.turn(workdir);
            }
        }
    }
    cells
}

/// One round in this process.
pub(crate) fn round(side: &dyn Side, shape: Shape, count: u64, files: Files) -> io::Result<Figure> {
    let running = side
        .round(shape, count, files)
        .ok_or(io::ErrorKind::Unsupported)?
        .0;
    let runtime = Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()?;
    // Spawned, or it would run on a third thread.
    let figure =
        runtime.block_on(async { tokio::time::timeout(LONGEST, tokio::spawn(running)).await });
    runtime.shutdown_timeout(Duration::from_secs(1));
    figure??
}

impl Cell {
    fn new(row: &'static Row, side: &'static dyn Side) -> Option<Self> {
        let count = match row.shape {
            Shape::File { .. } => 1,
            Shape::Idle => IDLE_LINES,
            _ => FIRST_COUNT,
        };
        side.round(row.shape, count, Files::default())?;
        Some(Self {
            row,
            side,
            rounds: Vec::new(),
            failure: None,
            count,
        })
    }

    /// Grows the count until a round takes a good part of `budget`, then sets it to take it all.
    fn warm_up(&mut self, budget: Duration, workdir: &mut Workdir) {
        if self.row.shape == Shape::Idle {
            return;
        }
        loop {
            let start = Instant::now();
            self.turn(workdir);
            let elapsed = start.elapsed();
            if matches!(self.row.shape, Shape::File { .. }) || self.failure.is_some() {
                break;
            }
            if elapsed * GROWTH as u32 >= budget {
                let whole = self.count as f64 * budget.div_duration_f64(elapsed);
                self.count = (whole as u64).max(FIRST_COUNT);
                break;
            }
            self.count *= GROWTH;
        }
        self.rounds.clear();
    }

    fn turn(&mut self, workdir: &mut Workdir) {
        if self.failure.is_none() {
            match self.measure(workdir) {
                Ok(figure) => self.rounds.push(figure),
                Err(error) => self.failure = Some(error),
            }
        }
    }

    fn measure(&self, workdir: &mut Workdir) -> io::Result<Figure> {
        let Self {
            row, side, count, ..
        } = *self;
        match row.shape {
            Shape::Idle => apart(row, side, count),
            Shape::File { .. } => {
                let files = workdir.prepare()?;
                let figure = round(side, row.shape, count, files.clone())?;
                workdir.check(&files.target).and(Ok(figure))
            }
            _ => round(side, row.shape, count, Files::default()),
        }
    }
}

/// One round in a new process: memory that earlier rounds left would serve the lines unseen.
fn apart(row: &Row, side: &dyn Side, count: u64) -> io::Result<Figure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([
        row.name,
        "--only",
        side.name(),
        "--apart",
        &count.to_string(),
    ]);
    let output = command.output()?;
    let value = String::from_utf8_lossy(&output.stdout).trim().parse();
    value
        .map(Figure::memory)
        .map_err(|_| io::Error::other(String::from_utf8_lossy(&output.stderr)))
}

#[cfg(test)]
#[test]
fn every_side_finishes_a_small_round_of_every_row_it_has() {
    let mut workdir = Workdir::new(std::env::temp_dir(), 3_000_001);
    for row in crate::rows::ROWS {
        for &side in crate::SIDES {
            if side
                .round(row.shape, FIRST_COUNT, Files::default())
                .is_none()
            {
                continue;
            }
            let files = workdir.prepare().expect("the temporary folder is writable");
            let figure = round(side, row.shape, FIRST_COUNT, files.clone());
            let fine = figure.as_ref().is_ok_and(|figure| figure.value.is_finite());
            assert!(fine, "{} of {}: {figure:?}", row.name, side.name());
            let copies = matches!(row.shape, Shape::File { .. });
            assert_eq!(workdir.check(&files.target).is_ok(), copies, "{}", row.name);
        }
    }
}
