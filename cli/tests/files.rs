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
            let told = &fetched.json()[0];
            assert_eq!((&told["event"], &told["octets"]), (&"fetched".into(), &len.into()));
            assert!(told["verified"] == true && told.get("range").is_none(), "{told}");
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
        assert!(outside.failed(4).ends_with("reaches past the end of the file at octet 3000000"), "{outside:?}");
        assert!(served.running.line_with("unsent all, ").ends_with("bad range (18)"));
        let behind = served.client("fetch", &["all", "-r", "3000000..", "-o", "-"]);
        assert!(behind.failed(4).ends_with("reaches past the end of the file at octet 3000000"), "{behind:?}");
    });
}

#[test]
fn a_range_may_be_open_at_either_end() {
    check(|served, here| {
        let all = octets(300_000);
        fs::write(served.folder.path().join("all"), &all).expect("written");
        for (range, name, expected) in [
            ("1000..", "all.1000-end", &all[1000..]),
            ("..1000", "all.0-1000", &all[..1000]),
            ("0..", "all.0-end", &all),
        ] {
            served.client_in(here, b"", "fetch", &["all", "--range", range]).fine();
            assert!(fs::read(here.join(name)).expect("read") == expected, "{range}");
            let told = served.client_in(here, b"", "fetch", &["all", "--range", range, "--force", "--json"]).json();
            let (start, end) = (if range.starts_with('1') { 1000 } else { 0 }, expected.len());
            assert_eq!(told[0]["range"], serde_json::json!({"start": start, "end": start + end}), "{range}");
            assert_eq!((&told[0]["octets"], &told[0]["verified"]), (&end.into(), &true.into()));
            assert!(served.client("fetch", &["all", "-r", range, "-o", "-"]).stdout == expected, "{range}");
        }
        assert_eq!(names(here), ["all.0-1000", "all.0-end", "all.1000-end"]);
    });
}

#[test]
fn standard_input_is_sent_as_a_file() {
    check(|served, here| {
        fs::write(here.join("small"), "small").expect("written");
        let large = octets(3_000_000);
        let sent = served.client_in(here, &large, "send", &["-", "small", "--name", "piped"]);
        let said = |line: &str| line.starts_with("sent piped: 2.86 MiB, ") && line.ends_with("/s, verified");
        assert!(sent.fine().lines().any(said), "{sent:?}");
        let sent = served.client_in(here, b"", "send", &["-", "--json"]);
        sent.fine();
        assert_eq!((&sent.json()[0]["name"], &sent.json()[0]["octets"]), (&"stdin".into(), &0.into()));
        let sent = served.client_in(here, &large, "send", &["-", "--name", "alone", "--json"]);
        assert_eq!((&sent.json()[0]["octets"], &sent.json()[0]["continued_at"]), (&3_000_000.into(), &0.into()));
        assert_eq!(names(served.folder.path()), ["alone", "piped", "small", "stdin"]);
        for (name, expected) in [("alone", &large[..]), ("piped", &large), ("small", b"small"), ("stdin", b"")] {
            assert!(fs::read(served.folder.path().join(name)).expect("read") == expected, "{name}");
        }
        assert_eq!(served.client_in(here, b"x", "send", &["-", "-n", "../x"]).code, Some(4));
    });
}

/// The beginning of a file, as a transfer leaves it that was cut off.
const PARTIAL: &str = ".ropeway-name.part";

#[test]
fn what_is_continued_says_where() {
    check(|served, here| {
        let all = octets(3_000_000);
        for (there, at) in [(&all[..1_000_000], 1_000_000), (&all[1..1_000_001], 0), (&all, 3_000_000)] {
            fs::write(here.join("name"), &all).expect("written");
            let says = |text: &str| match at {
                0 => assert!(!text.contains("continued"), "{text}"),
                _ => assert!(text.contains(&format!(", continued at octet {at}, ")), "{text}"),
            };
            let leave = |folder: &Path| {
                let _ = fs::remove_file(folder.join("name"));
                fs::write(folder.join(PARTIAL), there).expect("written");
            };
            for json in [&[][..], &["--json"]] {
                let said = |outcome: &support::Outcome| match json {
                    [] => says(outcome.fine()),
                    _ => assert_eq!(outcome.json()[0]["continued_at"], at, "{}", outcome.fine()),
                };
                leave(served.folder.path());
                said(&served.client_in(here, b"", "send", &[&["name"], json].concat()));
                let back = tempfile::tempdir().expect("a folder");
                leave(back.path());
                said(&served.client_in(back.path(), b"", "fetch", &[&["name"], json].concat()));
                assert!(fs::read(back.path().join("name")).expect("read") == all);
                assert!(fs::read(served.folder.path().join("name")).expect("read") == all);
            }
        }
    });
}

#[test]
fn of_several_files_it_is_told_what_was_there_before() {
    check(|served, here| {
        for name in ["name", "other"] {
            fs::write(here.join(name), octets(3_000_000)).expect("written");
        }
        fs::write(served.folder.path().join(PARTIAL), octets(1_048_576)).expect("written");
        let sent = served.client_in(here, b"", "send", &["name", "other"]);
        for (begins, ends) in [
            ("sent name: 2.86 MiB, continued at octet 1048576, ", "/s, verified"),
            ("sent other: 2.86 MiB, ", "/s, verified"),
            ("sent 2 files: 5.72 MiB, 1.00 MiB of it there before, ", "/s"),
        ] {
            let said = |line: &str| line.starts_with(begins) && line.ends_with(ends);
            assert_eq!(sent.fine().lines().filter(|line| said(line)).count(), 1, "{begins}: {sent:?}");
        }
        assert_eq!(sent.text().matches("continued").count(), 1, "{sent:?}");
        assert_eq!(names(served.folder.path()), ["name", "other"]);
    });
}

#[test]
fn a_server_shows_what_became_of_each_file() {
    check(|served, here| {
        fs::write(here.join("name"), "12345").expect("written");
        served.client_in(here, b"", "send", &["name"]).fine();
        assert!(served.running.line_with("name").ends_with(": received name, 5 B"));
        assert!(served.running.line().contains(": line over, "), "what became of a file comes before");
        served.client("fetch", &["name", "-o", "-"]).fine();
        assert!(served.running.line_with("name").ends_with(": sent name, 5 B"));
        assert!(served.running.line().contains(": line over, "), "what became of a file comes before");
        assert_eq!(served.client_in(here, b"", "send", &["name"]).code, Some(4));
        assert!(served.running.line_with("name").ends_with(": refused name, the file exists"));
    });
}

#[test]
fn a_server_shows_what_the_system_said() {
    let Served { running, address, folder } = Served::tcp();
    folder.close().expect("removed");
    assert_eq!(support::ropeway(["send", &address, "Cargo.toml"]).code, Some(4));
    let refused = running.line_with("refused");
    assert!(
        refused.ends_with("could not create the partial file: No such file or directory (os error 2)"),
        "{refused}"
    );
}

#[test]
fn an_existing_file_is_left_alone_unless_it_is_to_be_replaced() {
    check(|served, here| {
        fs::write(here.join("name"), "new").expect("written");
        fs::write(served.folder.path().join("name"), "old").expect("written");
        let refused = served.client_in(here, b"", "send", &["name"]);
        assert_eq!(refused.failed(4), "name: not taken by the peer: exists already (13)");
        assert_eq!(fs::read(served.folder.path().join("name")).expect("read"), b"old");

        let refused = served.client_in(here, b"", "fetch", &["name"]);
        assert_eq!(refused.failed(5), "./name: the file exists; --force replaces it");
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
        assert_eq!(sent.failed_json(4), "b: not taken by the peer: exists already (13)");
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
            // The same where it would be the name here, too.
            assert!(served.client_in(here, b"", "fetch", &[name]).failed(4).contains("the file name "), "{name}");
        }
        for name in [".hidden", "sub", "missing", "link"] {
            let refused = served.client_in(here, b"", "fetch", &[name, "-o", "-"]);
            assert!(refused.failed(4).ends_with("the peer answered: not found (19)"), "{name}: {refused:?}");
        }
        assert_eq!(served.client("request", &["files.list"]).fine(), "");

        fs::write(here.join(".hidden"), "mine").expect("written");
        let refused = served.client_in(here, b"", "send", &[".hidden"]);
        assert_eq!(refused.failed(4), ".hidden: not taken by the peer: bad name (17)");
        assert_eq!(fs::read(folder.join(".hidden")).expect("read"), b"secret");
        assert_eq!(names(here), [".hidden"]);
    });
}

#[test]
fn a_file_that_can_not_be_sent_is_told_before_anything_is() {
    check(|served, here| {
        fs::write(here.join("fine"), "fine").expect("written");
        let refused = served.client_in(here, b"", "send", &["fine", "missing"]);
        assert_eq!(refused.failed(5), "missing: can't open the file: No such file or directory (os error 2)");
        assert_eq!(served.client_in(here, b"", "send", &["."]).failed(5), ".: not a regular file");
        assert_eq!(names(served.folder.path()), [""; 0]);
    });
}
