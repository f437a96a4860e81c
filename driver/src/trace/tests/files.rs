//! Which files are written, and whose they are.

use std::fs;
use std::io;
use std::sync::Arc;

use super::super::{Folder, Recording, Trace};
use super::line::{Pair, talk};
use super::outcome;

/// Ends a line that is recorded in these ways: what came of writing it.
fn recorded(recordings: [Recording; 2]) -> [Result<(), io::ErrorKind>; 2] {
    let mut pair = Pair::new(&Arc::default(), recordings);
    talk(&mut pair);
    let recorders = pair.ends.each_ref().map(|(_, recorder)| recorder.clone());
    pair.end();
    recorders.map(|recorder| outcome(&recorder))
}

/// Two servers share a folder; neither takes a file of the other's, nor one of somebody else's.
#[test]
fn a_folder_replaces_no_file() {
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name);
    fs::write(at("7.trace"), "of another run").expect("written");
    let [one, other] = [(); 2].map(|()| Folder::open(place.path()).expect("it is there"));
    fs::write(at("9.trace"), "of somebody else").expect("written");
    assert_eq!(recorded([one.recording(), other.recording()]), [Ok(()); 2]);
    assert_eq!(recorded([other.recording(), one.recording()]), [Ok(()); 2]);
    for name in ["8.trace", "10.trace", "11.trace", "12.trace"] {
        Trace::open(at(name)).and_then(Trace::replay).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(fs::read(at("7.trace")).expect("it is there"), b"of another run");
    assert_eq!(fs::read(at("9.trace")).expect("it is there"), b"of somebody else");
    assert_eq!(fs::read_dir(place.path()).expect("it is there").count(), 6);
    // Numbers end.
    fs::write(at("18446744073709551614.trace"), "the last but one").expect("written");
    let last = Folder::open(place.path()).expect("one is left");
    assert_eq!(recorded([last.recording(), last.recording()]), [Ok(()), Err(io::ErrorKind::Other)]);
    Trace::open(at("18446744073709551615.trace")).and_then(Trace::replay).expect("it replays");
    let full = Folder::open(place.path()).expect_err("none is left").to_string();
    assert_eq!(full, "no number is left for another trace");
}

#[test]
fn a_new_file_replaces_none() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("line.trace");
    let recordings = || [Recording::to_new_file(&path), Recording::to(io::sink())];
    assert_eq!(recorded(recordings()), [Ok(()); 2]);
    let first = fs::read(&path).expect("it is there");
    assert_eq!(recorded(recordings()), [Err(io::ErrorKind::AlreadyExists), Ok(())]);
    assert_eq!(fs::read(&path).expect("it is there"), first);
}

/// Neither line harms the trace of the other, though one of them is replaced.
#[test]
fn two_lines_recorded_into_one_file_leave_a_whole_trace() {
    let place = tempfile::tempdir().expect("a folder");
    let path = place.path().join("line.trace");
    assert_eq!(recorded([Recording::to_file(&path), Recording::to_file(&path)]), [Ok(()); 2]);
    Trace::open(&path).and_then(Trace::replay).expect("it replays");
    assert_eq!(fs::read_dir(place.path()).expect("it is there").count(), 1);
}

/// A pipe, say, or a link to where there is more room.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_written_to_and_stays() {
    let place = tempfile::tempdir().expect("a folder");
    let [link, far] = ["line.trace", "far.trace"].map(|name| place.path().join(name));
    fs::write(&far, "before").expect("written");
    std::os::unix::fs::symlink(&far, &link).expect("linked");
    assert_eq!(recorded([Recording::to_file(&link), Recording::to_file("/dev/null")]), [Ok(()); 2]);
    assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    Trace::open(&far).and_then(Trace::replay).expect("it replays");
}

#[cfg(unix)]
#[test]
fn a_trace_is_for_its_owner_alone() {
    let place = tempfile::tempdir().expect("a folder");
    let [one, other, third] = ["one.trace", "other.trace", "1.trace"].map(|name| place.path().join(name));
    // That everybody could read what it replaces makes no difference.
    fs::write(&one, "for all").expect("written");
    let folder = Folder::open(place.path()).expect("it is there");
    for recordings in
        [[Recording::to_file(&one), Recording::to_new_file(&other)], [folder.recording(), Recording::to(io::sink())]]
    {
        assert_eq!(recorded(recordings), [Ok(()); 2]);
    }
    for path in [one, other, third] {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("it is there").permissions());
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}
