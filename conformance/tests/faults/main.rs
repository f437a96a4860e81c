//! The suite's own test: each fault of the [`table`], seeded into a copy of the workspace, is caught by its scenario.
//!
//! All are seeded at once, each behind a switch, so that there is one build. The sources themselves know nothing of it.

mod seeded;
mod table;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::seeded::{Outcome, Suite};
use crate::table::{FAULTS, Fault};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Most wait for a watchdog.
    arguments.test_threads.get_or_insert(4);
    // Once for all, before each of them says so.
    if !arguments.list
        && let Err(why) = Suite::seeded()
    {
        eprintln!("{why}");
        return ExitCode::FAILURE;
    }
    let trials = FAULTS.iter().map(|fault| Trial::test(fault.name, || check(fault))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The scenario passes without the fault, and fails with it.
fn check(fault: &Fault) -> Result<(), Failed> {
    let suite = Suite::seeded()?;
    for (on, wanted) in [(None, Outcome::Passed), (Some(fault.name), Outcome::Failed)] {
        let (outcome, said) = suite.run(fault.caught_by, on);
        if outcome != wanted {
            let state = if on.is_some() { "with" } else { "without" };
            return Err(format!("{state} the fault {} {outcome:?}\n{said}", fault.caught_by).into());
        }
    }
    Ok(())
}
