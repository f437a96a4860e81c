//! The figures as a table to read, or as lines for machines.

use crate::figure::{Figure, short};
use crate::rows::{Row, Target};
use crate::run::Cell;

/// The columns of sides; one that was not measured stays empty.
const COLUMNS: [&str; 3] = ["raw", "ropeway", "tarpc"];

/// Everything that was measured.
pub(crate) struct Report(pub(crate) Vec<Cell>);

impl Report {
    /// Prints a line for each of `rows`, columns aligned.
    pub(crate) fn table(&self, rows: &[&Row]) {
        line(
            "row",
            "unit",
            COLUMNS,
            ["/raw", "/tarpc"],
            "target",
            "met",
            "what limits",
        );
        for row in rows {
            let figures = COLUMNS.map(|side| self.median(row.name, side));
            let [raw, ours, tarpc] = figures;
            let unit = figures
                .iter()
                .flatten()
                .next()
                .map_or("", |figure| figure.unit);
            let figures = figures.map(|figure| figure.map_or("-".to_owned(), |it| it.to_string()));
            let ratios = [raw, tarpc].map(|theirs| match (ours, theirs) {
                (Some(ours), Some(theirs)) => short(ours.value / theirs.value),
                _ => "-".to_owned(),
            });
            let (figures, ratios) = (figures.each_ref(), ratios.each_ref());
            let (figures, ratios) = (figures.map(String::as_str), ratios.map(String::as_str));
            let met = self
                .met(row)
                .map_or("", |met| if met { "yes" } else { "NO" });
            line(
                row.name,
                unit,
                figures,
                ratios,
                &targets(row),
                met,
                row.limit,
            );
        }
    }

    /// Prints an object a line for each of `rows`.
    pub(crate) fn json(&self, rows: &[&Row]) {
        for row in rows {
            let met = self
                .met(row)
                .map_or("null".to_owned(), |met| met.to_string());
            print!(
                "{{\"row\":{:?},\"target\":{:?},\"met\":{met}",
                row.name,
                targets(row)
            );
            for cell in self.0.iter().filter(|cell| cell.row.name == row.name) {
                let Some(figure) = self.median(row.name, cell.side.name()) else {
                    continue;
                };
                let rounds: Vec<f64> = cell.rounds.iter().map(|round| round.value).collect();
                let p99 = figure.p99.map_or("null".to_owned(), |p99| p99.to_string());
                print!(",\"{}\":{{\"unit\":{:?}", cell.side.name(), figure.unit);
                print!(
                    ",\"median\":{},\"p99\":{p99},\"rounds\":{rounds:?}}}",
                    figure.value
                );
            }
            println!("}}");
        }
    }

    /// What failed, a text each.
    pub(crate) fn failures(&self) -> impl Iterator<Item = String> {
        self.0.iter().filter_map(|cell| {
            let failure = cell.failure.as_ref()?;
            Some(format!(
                "{} of {}: {failure}",
                cell.row.name,
                cell.side.name()
            ))
        })
    }

    fn median(&self, row: &str, side: &str) -> Option<Figure> {
        let found = |cell: &&Cell| cell.row.name == row && cell.side.name() == side;
        let cell = self
            .0
            .iter()
            .find(found)
            .filter(|cell| cell.failure.is_none())?;
        Figure::median(&cell.rounds)
    }

    /// Whether all targets are reached, or `None` as long as that is open.
    fn met(&self, row: &Row) -> Option<bool> {
        let ours = self.median(row.name, "ropeway")?;
        let value = |row, side| Some(self.median(row, side)?.value);
        let mut met = None;
        for target in row.targets {
            let bound = match *target {
                Target::Value(bound) => bound,
                Target::Times(factor, side) => factor * value(row.name, side)?,
                Target::Plus(more, side) => more + value(row.name, side)?,
                Target::Growth(factor, other) => factor * value(other, "ropeway")?,
            };
            let reached = if ours.is_rate() {
                ours.value >= bound
            } else {
                ours.value <= bound
            };
            met = Some(reached && met.unwrap_or(true));
        }
        met
    }
}

fn line(
    name: &str,
    unit: &str,
    [raw, ours, tarpc]: [&str; 3],
    [over_raw, over_tarpc]: [&str; 2],
    targets: &str,
    met: &str,
    limit: &str,
) {
    print!("{name:<13} {unit:>4} {raw:>13} {ours:>13} {tarpc:>13} {over_raw:>6} {over_tarpc:>6}");
    println!("  {targets:<14} {met:<3}  {limit}");
}

fn targets(row: &Row) -> String {
    row.targets
        .iter()
        .map(Target::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
