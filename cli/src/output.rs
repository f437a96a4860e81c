//! What the program shows: results on standard output, as text or as JSON, and bars on standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use ropeway_tokio::{Progress, ProgressStream};
use serde::{Serialize, Serializer};

use crate::exit::{Exit, Failed};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);
/// Octets that have a rate: of less, what is measured is how long it takes to ask.
const ENOUGH: u64 = 1024 * 1024;

/// How everything is shown.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    bars: MultiProgress,
}

/// One JSON object of a result: its fields, and what it is.
#[derive(Serialize)]
struct Tagged<'a, R: ?Sized> {
    event: &'a str,
    #[serde(flatten)]
    record: &'a R,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Output {
        let shown = !quiet && io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Output { json, quiet, bars: MultiProgress::with_draw_target(target) }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Shows what was asked for.
    pub(crate) fn result<R: Serialize + Display>(&self, event: &str, record: &R) -> Result<(), Failed> {
        if self.json {
            let record = Tagged { event, record };
            let line = serde_json::to_string(&record).map_err(Failed::internal)?;
            return self.raw(line.as_bytes(), true);
        }
        self.raw(record.to_string().as_bytes(), true)
    }

    /// Shows what is good to know on the way; not with `--quiet`.
    pub(crate) fn note<R: Serialize + Display>(&self, event: &str, record: &R) -> Result<(), Failed> {
        if self.quiet { Ok(()) } else { self.result(event, record) }
    }

    /// Writes octets to standard output, and ends the line if there is one to end.
    pub(crate) fn raw(&self, octets: &[u8], line: bool) -> Result<(), Failed> {
        let written = self.bars.suspend(|| {
            let mut out = io::stdout().lock();
            out.write_all(octets)?;
            if line {
                out.write_all(b"\n")?;
            }
            out.flush()
        });
        written.map_err(Failed::output)
    }

    /// Shows why the program ends, on standard error: what was asked for may be on its way to standard output.
    pub(crate) fn failed(&self, failed: &Failed) {
        if failed.exit == Exit::Pipe {
            return;
        }
        let (exit, message) = (failed.exit as u8, &failed.text);
        let line = match self.json {
            true => serde_json::json!({ "event": "error", "exit": exit, "message": message }).to_string(),
            false => format!("ropeway: {message}"),
        };
        self.aside(&line);
    }

    /// Tells a person what the results don't, beside them: on standard error.
    pub(crate) fn hint(&self, hint: &str) {
        if !self.json && !self.quiet {
            self.aside(&format!("note: {hint}"));
        }
    }

    fn aside(&self, line: &str) {
        // There is nobody left to be told that this can't be shown.
        let _ = self.bars.suspend(|| writeln!(io::stderr().lock(), "{line}"));
    }

    /// A bar for octets, of an unknown number if there is no total.
    pub(crate) fn bar(&self, name: &str, total: Option<u64>) -> ProgressBar {
        let bar = self.bars.add(match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::no_length(),
        });
        bar.set_style(style(total.is_some()));
        bar.set_prefix(name.to_owned());
        bar
    }

    /// Something goes on, nobody knows how long.
    pub(crate) fn spinner(&self, what: &'static str) -> ProgressBar {
        let spinner = self.bars.add(ProgressBar::new_spinner());
        spinner.set_message(what);
        spinner.enable_steady_tick(TICK);
        spinner
    }

    /// Moves a bar with a transfer until it is over; how far it came.
    pub(crate) async fn follow(&self, name: &str, mut progress: ProgressStream) -> Progress {
        let bar = self.bar(name, None);
        let mut last = Progress::default();
        while let Some(now) = progress.next().await {
            if bar.length() != now.total
                && let Some(total) = now.total
            {
                bar.set_length(total);
                bar.set_style(style(true));
            }
            if now.start != last.start || now.done < last.done {
                // What was there before is no part of the rate.
                bar.set_position(now.start);
                bar.reset_eta();
            }
            bar.set_position(now.done);
            last = now;
        }
        bar.finish_and_clear();
        last
    }
}

/// A rate for people, such as `1.25 GiB/s`; none where it was too little to tell.
pub(crate) fn rate(octets: u64, time: Duration) -> Option<String> {
    (octets >= ENOUGH).then(|| format!("{}/s", HumanBytes(per_second(octets, time))))
}

/// How many a second, rounded down.
pub(crate) fn per_second(count: u64, time: Duration) -> u64 {
    let nanos = time.as_nanos().max(1);
    u64::try_from(u128::from(count) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
}

/// For serde: a time as whole microseconds.
pub(crate) fn micros<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}

/// Octets as hexadecimal digits.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn style(known: bool) -> ProgressStyle {
    let template = match known {
        true => "{prefix:24!} [{bar:30}] {bytes:>11} of {total_bytes:11} {bytes_per_sec:>14} {eta:>4}",
        false => "{prefix:24!} {bytes:>11} {bytes_per_sec:>14}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}
