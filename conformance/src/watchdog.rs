//! Ends the process when a scenario hangs: a lost wake-up must fail a test, not stop it for ever.
//!
//! The watchdog is a plain thread, so it runs beside any runtime and also when all of its workers are stuck. It never
//! polls or wakes what it watches: that could hide the very fault it is there to find.

use std::fmt::Debug;
use std::io::{self, Write};
use std::process;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The exit code of a process whose watchdog found a scenario hung.
///
/// None that a test harness (101), a shell (126 and up) or a usual program (0 to 2) ends with.
pub const HUNG: i32 = 86;

/// The environment variable that tells how long a scenario of the suite may take, in seconds.
pub const PATIENCE: &str = "ROPEWAY_PATIENCE";

/// Passes `future` on, and ends the process with [`HUNG`] if it takes longer than `limit`, counted from this call.
///
/// Finishing or dropping the future calls the watchdog off; no thread is left then.
pub fn watchdog<F: Future>(name: &str, limit: Duration, future: F) -> impl Future<Output = F::Output> + use<F> {
    guarded(Watch::start(name, limit, None), future)
}

/// Like [`watchdog`], and prints what `status` returns when the future hangs.
///
/// `status` runs on a thread of its own, and may hang or panic there: the process ends all the same.
pub fn watchdog_with<F: Future, D: Debug>(
    name: &str,
    limit: Duration,
    status: impl FnOnce() -> D + Send + 'static,
    future: F,
) -> impl Future<Output = F::Output> {
    let status = Box::new(move || format!("{:#?}", status()));
    guarded(Watch::start(name, limit, Some(status)), future)
}

async fn guarded<F: Future>(watch: Watch, future: F) -> F::Output {
    let output = future.await;
    drop(watch);
    output
}

type Status = Box<dyn FnOnce() -> String + Send>;

/// Dropping the sender calls the thread off.
struct Watch(Option<(Sender<()>, JoinHandle<()>)>);

impl Watch {
    fn start(name: &str, limit: Duration, status: Option<Status>) -> Self {
        let (alive, ended) = mpsc::channel::<()>();
        let name = name.to_owned();
        let thread = thread::spawn(move || {
            if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                report_and_exit(name, limit, status);
            }
        });
        Self(Some((alive, thread)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some((alive, thread)) = self.0.take() {
            drop(alive);
            // Only a failure to write the report panics there, and then the process has ended.
            let _ = thread.join();
        }
    }
}

/// How long the report may take: what hangs may hold a lock that `status` wants, or that of standard error.
const REPORT_LIMIT: Duration = Duration::from_secs(1);

fn report_and_exit(name: String, limit: Duration, status: Option<Status>) -> ! {
    let (alive, reported) = mpsc::channel::<()>();
    thread::spawn(move || {
        let _alive = alive;
        say(&format!("watchdog: {name} did not finish within {limit:?}"));
        if let Some(status) = status {
            say(&format!("watchdog: {name} is at {}", status()));
        }
    });
    // The sender is dropped when the report is out, or when `status` panics.
    let _ = reported.recv_timeout(REPORT_LIMIT);
    process::exit(HUNG)
}

/// Not `eprintln`, whose output a test harness captures and loses when the process ends.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::future::{pending, poll_fn, ready};
    use std::process::{Command, Output};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Poll;

    use super::*;
    use crate::block_on;

    const CASE: &str = "ROPEWAY_WATCHDOG_CASE";
    /// Short, as the child waits for nothing else.
    const SHORT: Duration = Duration::from_millis(20);
    const AMPLE: Duration = Duration::from_secs(30);

    #[test]
    fn ends_a_hung_process_and_names_what_hung() {
        if let Ok(case) = env::var(CASE) {
            return hang(case);
        }
        check("plain", &["watchdog: plain did not finish within 20ms"]);
        check("stated", &["watchdog: stated did not finish", "stated is at Lanes {", "open: 3"]);
        check("not woken", &["not woken is at 1"]);
        check("spawned", &["watchdog: spawned did not finish"]);
        check("stuck status", &["watchdog: stuck status did not finish"]);
        check("broken status", &["watchdog: broken status did not finish"]);
        check("never polled", &["watchdog: never polled did not finish"]);
    }

    #[test]
    fn leaves_a_finished_future_alone() {
        assert_eq!(block_on(watchdog("finished", AMPLE, ready(5))), 5);
        assert_eq!(block_on(watchdog_with("finished", AMPLE, || "unused", ready(6))), 6);
    }

    #[test]
    fn is_called_off_when_the_future_is_dropped() {
        // Its thread is joined: a watch that goes on would end this process.
        drop(watchdog("dropped", AMPLE, pending::<()>()));
    }

    #[test]
    fn keeps_a_future_send() {
        fn check<T: Send + 'static>(_: T) {}
        let name = String::from("borrowed for the call only");
        check(watchdog(&name, AMPLE, ready(())));
    }

    #[track_caller]
    fn check(case: &str, wanted: &[&str]) {
        let Output { status, stderr, .. } = rerun(case);
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(HUNG), "{case}: {stderr}");
        for wanted in wanted {
            assert!(stderr.contains(wanted), "{case}: no {wanted:?} in {stderr}");
        }
    }

    fn rerun(case: &str) -> Output {
        let (_, module) = module_path!().split_once("::").expect("a module lies in its crate");
        Command::new(env::current_exe().expect("a test has a file"))
            .args(["--exact", &format!("{module}::ends_a_hung_process_and_names_what_hung")])
            .env(CASE, case)
            .output()
            .expect("a test can be run again")
    }

    /// Runs in the child. Returns after a while, so that a watchdog that fails to bark fails the test.
    fn hang(case: String) {
        let (alive, hung) = mpsc::channel::<()>();
        thread::spawn(move || {
            let _alive = alive;
            match case.as_str() {
                "stated" => block_on(watchdog_with(&case, SHORT, || Lanes { open: 3 }, pending())),
                "not woken" => {
                    let polls = Arc::new(AtomicUsize::new(0));
                    let seen = polls.clone();
                    let counted = poll_fn(|_| -> Poll<()> {
                        polls.fetch_add(1, Ordering::Relaxed);
                        Poll::Pending
                    });
                    block_on(watchdog_with(&case, SHORT, move || seen, counted))
                }
                "spawned" => {
                    let watched = watchdog(&case, SHORT, pending());
                    thread::spawn(|| block_on(watched)).join().expect("it hangs, it does not panic")
                }
                "stuck status" => block_on(watchdog_with(&case, SHORT, || block_on(pending::<()>()), pending())),
                "broken status" => block_on(watchdog_with(&case, SHORT, || -> () { panic!("broken") }, pending())),
                "never polled" => {
                    let _unpolled = watchdog(&case, SHORT, pending::<()>());
                    block_on(pending())
                }
                _ => block_on(watchdog(&case, SHORT, pending())),
            }
        });
        let _ = hung.recv_timeout(Duration::from_secs(30));
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "it is there to be printed")]
    struct Lanes {
        open: u8,
    }
}
