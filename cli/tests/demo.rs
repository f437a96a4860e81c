//! The demo verifies all it shows, leaves nothing behind, and fails if anything is not as it should be.

mod support;

use std::ffi::OsString;
use std::fs;

use support::ropeway_in;

/// Runs it in a folder that is empty but for these files, and is so after it.
fn check(arguments: &[&str], files: &[(&str, usize)]) -> support::Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, octets) in files {
        fs::write(folder.path().join(name), vec![7; *octets]).expect("written");
    }
    let outcome = ropeway_in(folder.path(), b"", arguments);
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).expect("read").map(|entry| entry.expect("read").file_name()).collect();
    let mut expected: Vec<_> = files.iter().map(|(name, _)| OsString::from(name)).collect();
    left.sort();
    expected.sort();
    assert_eq!(left, expected, "nothing is left behind");
    outcome
}

#[test]
fn is_what_runs_without_a_command_and_verifies_everything() {
    let outcome = check(&[], &[]);
    let text = outcome.fine();
    assert!(text.ends_with("all verified\n"), "{text}");
    for what in ["notices", "kept alive", "a stream each way", "a file in a response"] {
        assert!(row(text, what).ends_with("  yes"), "{text}");
    }
    #[cfg(feature = "seal")]
    for what in ["a sealed line", "sealed requests", "sealed again", "new keys", "another key, refused"] {
        assert!(row(text, what).ends_with("  yes"), "{text}");
    }
    shows_files(text, 3);
    assert!(!text.contains("made "), "{text}");
}

/// The row of this in the closing table.
fn row<'a>(text: &'a str, what: &str) -> &'a str {
    text.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {text}"))
}

/// So many files went at once, one of them with a pause.
fn shows_files(text: &str, count: usize) {
    assert_eq!(text.lines().filter(|line| line.starts_with("file ")).count(), count, "{text}");
    for what in ["paused and resumed", &format!("{count} files at once")] {
        assert!(row(text, what).ends_with("  yes"), "{text}");
    }
}

#[test]
fn shows_all_that_it_promises_whatever_it_is_given() {
    // Larger than what is made, which is paused all the same: nothing could hold this one up.
    const LARGE: usize = 65 * 1024 * 1024;
    for (files, made, count) in [
        (&[("empty", 0)][..], "made reversed.bin and woven.bin to go along: ", 3),
        (&[("a", 1), ("b", 70_000)], "made woven.bin to go along: ", 3),
        (&[("a", 1), ("b", 1), ("woven.bin", 1)], "made another-woven.bin to go along: ", 4),
        (&[("large", LARGE)], "made reversed.bin and woven.bin to go along: ", 3),
    ] {
        let arguments: Vec<_> = ["demo"].into_iter().chain(files.iter().map(|(name, _)| *name)).collect();
        let outcome = check(&arguments, files);
        let text = outcome.fine();
        assert!(text.starts_with(made) && text.ends_with("\nall verified\n"), "{text}");
        shows_files(text, count);
    }
}

#[test]
fn speaks_to_machines() {
    let outcome = check(&["--json", "demo"], &[]);
    outcome.fine();
    let objects = outcome.json();
    let (total, rows) = objects.split_last().expect("some");
    assert_eq!((&total["event"], &total["verified"]), (&"demo".into(), &true.into()));
    assert_eq!(total["rows"], rows.len());
    for row in rows {
        assert_eq!((&row["event"], &row["verified"]), (&"row".into(), &true.into()), "{row}");
        assert!(row["count"].as_u64() >= Some(1) && row["micros"].is_u64(), "{row}");
    }
}

#[test]
fn takes_files_of_any_size() {
    let outcome = check(&["demo", "empty", "one", "some", "--json"], &[("empty", 0), ("one", 1), ("some", 3_000_000)]);
    outcome.fine();
    let sizes: Vec<_> = outcome.json().iter().filter_map(file_of).collect();
    for expected in [("file empty", 0), ("file one", 1), ("file some", 3_000_000)] {
        assert!(sizes.iter().any(|(what, octets)| (what.as_str(), *octets) == expected), "{expected:?} in {sizes:?}");
    }
}

fn file_of(row: &serde_json::Value) -> Option<(String, u64)> {
    let what = row["what"].as_str()?.trim_end_matches(", paused and resumed").to_owned();
    Some((what, row["octets"].as_u64()?))
}

#[test]
fn refuses_files_it_can_not_send() {
    let outcome = check(&["demo", "missing"], &[]);
    assert_eq!(outcome.failed(5), "missing: can't open the file: No such file or directory (os error 2)");
    assert_eq!(check(&["demo", "."], &[]).failed(5), ".: not a regular file");
    let outcome = check(&["demo", "a", "./a"], &[("a", 1)]);
    assert_eq!(outcome.failed(2), "./a: another file has the same name");
}
