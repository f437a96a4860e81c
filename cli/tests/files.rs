//! Files sent and fetched are whole, verified, and nowhere else than they should be.

mod support;

use std::fs;
use std::path::Path;

use support::Served;

/// Octets that repeat nowhere near.
fn octets(len: usize) -> Vec<u8> {
    let mut output = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut output);
    output
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("read").map(|entry| entry.expect("read").file_name());
    let mut names: Vec<_> =
        names.map(|name| name.into_string().expect("text")).filter(|name| name != ".socket").collect();
    names.sort();
    names
}

/// The same against a server on every transport, in a folder.
fn check(promise: impl Fn(&Served, &Path)) {
    let run = |served: Served| {
        let here = tempfile::tempdir().expect("a folder");
        promise(&served, here.path());
    };
    run(Served::tcp());
    #[cfg(unix)]
    run(Served::unix());
}

#[test]
fn what_is_sent_is_what_is_there_and_what_is_fetched() {
    check(|served, here| {
        let files = [("empty", 0), ("small.txt", 5), ("large.bin", 9_000_001)];
        for (name, len) in files {
            fs::write(here.join(name), octets(len)).expect("written");
        }
        let sent = served.client_in(here, b"", "send", &["empty", "small.txt", "large.bin"]);
        assert_eq!(sent.fine().lines().filter(|line| line.ends_with(", verified")).count(), 3);
        assert_eq!(names(served.folder.path()), ["empty", "large.bin", "small.txt"]);

        let list = served.client("request", &["files.list"]);
        let list: Vec<Vec<_>> = list.fine().lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(list, [["0", "empty"], ["9000001", "large.bin"], ["5", "small.txt"]]);

        let back = here.join("back");
        fs::create_dir(&back).expect("made");
        for (name, len) in files {
            assert!(fs::read(served.folder.path().join(name)).expect("read") == octets(len), "{name}");
            let fetched = served.client_in(here, b"", "fetch", &[name, "--to", "back", "--json"]);
            fetched.fine();
            assert_eq!((&fetched.json()[0]["event"], &fetched.json()[0]["octets"]), (&"fetched".into(), &len.into()));
            assert!(fs::read(back.join(name)).expect("read") == octets(len), "{name}");
            let printed = served.client_in(here, b"", "fetch", &[name, "-o", "-"]);
            assert!(printed.code == Some(0) && printed.stdout == octets(len), "{name}");
        }
        assert_eq!(names(&back), ["empty", "large.bin", "small.txt"]);
    });
}

#[test]
fn a_range_is_those_octets_alone() {
    check(|served, here| {
        let all = octets(3_000_000);
        fs::write(served.folder.path().join("all"), &all).expect("written");
        let range = ["fetch", &served.address, "all", "--range", "1000..2500000"];
        let fetch = |more: &[&str]| support::ropeway_in(here, b"", [&range[..], more].concat());
        fetch(&[]).fine();
        fetch(&["-o", "part"]).fine();
        assert!(fetch(&["-o", "-"]).stdout == all[1000..2_500_000]);
        assert_eq!(names(here), ["all.1000-2500000", "part"]);
        for name in names(here) {
            assert!(fs::read(here.join(name)).expect("read") == all[1000..2_500_000]);
        }
        let outside = served.client("fetch", &["all", "-r", "0..3000001", "-o", "-"]);
        assert!(outside.failed(5).ends_with("reaches past the end of the file"), "{outside:?}");
    });
}

#[test]
fn an_existing_file_is_left_alone_unless_it_is_to_be_replaced() {
    check(|served, here| {
        fs::write(here.join("name"), "new").expect("written");
        fs::write(served.folder.path().join("name"), "old").expect("written");
        let refused = served.client_in(here, b"", "send", &["name"]);
        assert_eq!(refused.failed(4), "name: given up by the peer: exists already (13)");
        assert_eq!(fs::read(served.folder.path().join("name")).expect("read"), b"old");

        let refused = served.client_in(here, b"", "fetch", &["name"]);
        assert_eq!(refused.failed(5), "name: the file exists");
        assert_eq!(served.client_in(here, b"", "fetch", &["name", "-r", "0..1", "-o", "name"]).code, Some(5));
        assert_eq!(fs::read(here.join("name")).expect("read"), b"new");
        served.client_in(here, b"", "fetch", &["name", "--force"]).fine();
        assert_eq!(fs::read(here.join("name")).expect("read"), b"old");
        assert_eq!(names(here), ["name"]);
    });
}

#[test]
fn one_refused_file_does_not_stop_the_others() {
    check(|served, here| {
        for name in ["a", "b", "c"] {
            fs::write(here.join(name), name).expect("written");
        }
        fs::write(served.folder.path().join("b"), "old").expect("written");
        let sent = served.client_in(here, b"", "send", &["a", "b", "c", "--json"]);
        assert_eq!(sent.failed(4), "b: given up by the peer: exists already (13)");
        assert_eq!(sent.json().iter().filter(|object| object["event"] == "sent").count(), 2);
        assert_eq!(names(served.folder.path()), ["a", "b", "c"]);
        assert_eq!(fs::read(served.folder.path().join("b")).expect("read"), b"old");
    });
}

#[test]
fn names_lead_nowhere_else() {
    check(|served, here| {
        let folder = served.folder.path();
        fs::write(folder.join(".hidden"), "secret").expect("written");
        fs::create_dir(folder.join("sub")).expect("made");
        fs::write(folder.join("sub").join("inner"), "secret").expect("written");
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/hostname", folder.join("link")).expect("linked");
        let absolute = format!("{}/sub/inner", folder.display());
        for name in ["../x", "..", ".", "sub/inner", "sub\\inner", &absolute, "NUL", "a\u{1b}[2J", ""] {
            let refused = served.client_in(here, b"", "fetch", &[name, "-o", "-"]);
            assert!(refused.failed(4).contains("bad name (17)"), "{name}: {refused:?}");
            assert!(!refused.stderr.contains('\u{1b}'), "{name}");
        }
        for name in [".hidden", "sub", "missing", "link"] {
            let refused = served.client_in(here, b"", "fetch", &[name, "-o", "-"]);
            assert!(refused.failed(4).ends_with("answered: not found (19)"), "{name}: {refused:?}");
        }
        assert_eq!(served.client("request", &["files.list"]).fine(), "");

        fs::write(here.join(".hidden"), "mine").expect("written");
        let refused = served.client_in(here, b"", "send", &[".hidden"]);
        assert_eq!(refused.failed(4), ".hidden: given up by the peer: bad name (17)");
        assert_eq!(fs::read(folder.join(".hidden")).expect("read"), b"secret");
        assert_eq!(names(here), [".hidden"]);
    });
}

#[test]
fn a_file_that_can_not_be_sent_is_told_before_anything_is() {
    check(|served, here| {
        fs::write(here.join("fine"), "fine").expect("written");
        let refused = served.client_in(here, b"", "send", &["fine", "missing"]);
        assert!(refused.failed(5).starts_with("missing: could not open the file"), "{refused:?}");
        assert_eq!(served.client_in(here, b"", "send", &["."]).failed(5), ".: not a regular file");
        assert_eq!(names(served.folder.path()), [""; 0]);
    });
}
