//! Lines are sealed as the command line says, and who is not to be trusted is refused, clearly at both ends.

#![cfg(feature = "seal")]

mod support;

use std::fs;
use std::path::Path;

use support::{Outcome, Running, ropeway};
use tempfile::TempDir;

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A folder with files of keys: of the server, a client and a stranger, each with its public half; and of secrets.
struct Desk(TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().expect("a folder"));
        for name in ["server", "client", "stranger"] {
            let public = ropeway(["key", "new", &desk.path(name)]);
            fs::write(desk.path(&format!("{name}.pub")), public.fine()).expect("written");
        }
        for name in ["psk", "token", "other"] {
            ropeway(["key", "new", &desk.path(name)]).fine();
        }
        desk
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// The arguments in which `@name` is a file here.
    fn arguments(&self, arguments: &str) -> Vec<String> {
        arguments.split_whitespace().map(|argument| argument.replace('@', &self.path(""))).collect()
    }

    fn serve(&self, arguments: &str) -> (Running, String) {
        let command = [vec!["serve".into(), "tcp://127.0.0.1:0".into()], self.arguments(arguments)].concat();
        let server = Running::start(command, Path::new("."), b"");
        let address = server.line().strip_prefix("listening on ").expect("it says where it listens").to_owned();
        (server, address)
    }

    fn client(&self, command: &[&str], arguments: &str) -> Outcome {
        let command = command.iter().map(|argument| argument.to_string()).collect();
        ropeway([command, self.arguments(arguments)].concat())
    }
}

/// The secrets of files of keys are nowhere in what is shown.
fn keeps_secrets(desk: &Desk, shown: &str) {
    for name in ["server", "client", "stranger", "psk", "token", "other"] {
        let secret = fs::read_to_string(desk.path(name)).expect("read");
        assert!(!shown.contains(secret.trim()), "{name}: {shown}");
    }
}

#[test]
fn a_key_is_made_once_and_for_its_owner_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("new.key").display().to_string();
    let made = ropeway(["key", "new", &file]);
    let public = made.fine().trim_end();
    assert!(public.len() == 64 && public.bytes().all(|digit| digit.is_ascii_hexdigit()), "{public}");
    let secret = fs::read_to_string(&file).expect("read");
    assert!(secret.len() == 65 && secret.trim() != public, "a secret, and no other half");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).expect("it is there").permissions().mode() & 0o7777, 0o600);
    }
    assert_eq!(ropeway(["key", "show", &file]).fine().trim_end(), public);
    let shown = ropeway(["--json", "key", "show", &file]).json();
    assert_eq!((&shown[0]["public"], &shown[0]["file"]), (&public.into(), &file.clone().into()));
    let again = ropeway(["key", "new", &file]);
    assert_eq!(again.failed(5), format!("{file}: can't write the key: it exists, and is not replaced"));
    assert_eq!(fs::read_to_string(&file).expect("read"), secret);
    let nowhere = folder.path().join("no/new.key").display().to_string();
    assert!(ropeway(["key", "new", &nowhere]).failed(5).starts_with(&format!("{nowhere}: can't write the key: ")));
}

#[cfg(unix)]
#[test]
fn a_file_that_is_not_safe_is_refused_by_its_name() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let set = |name: &str, mode| {
        fs::set_permissions(desk.path(name), fs::Permissions::from_mode(mode)).expect("its mode is set");
    };
    let ping = |arguments: &str| desk.client(&["ping", "tcp://127.0.0.1:1"], arguments).failed(5).to_owned();
    for mode in [0o640, 0o604, 0o620, 0o610] {
        set("other", mode);
        let says = format!(
            "{}: others may read or change it (mode {mode:o}), and a secret is for its owner alone: chmod 600, if it is one",
            desk.path("other")
        );
        assert_eq!(desk.client(&["key", "show"], "@other").failed(5), says);
        assert_eq!(ping("--peer-key @server.pub --key @other"), says);
        assert_eq!(ping("--psk @other"), says);
        assert_eq!(ping("--token kiosk:@other"), says);
        let served = desk.client(&["serve", "tcp://127.0.0.1:0"], "--token kiosk:@other");
        assert_eq!(served.failed(5), says);
    }
    set("server.pub", 0o646);
    let says = format!("{}: anybody may change it (mode 646): chmod o-w", desk.path("server.pub"));
    assert_eq!(ping("--peer-key @server.pub"), says);
}

#[test]
fn a_file_that_is_none_of_a_key_is_told() {
    let desk = Desk::new();
    let ping = |arguments: &str| desk.client(&["ping", "tcp://127.0.0.1:1"], arguments).failed(5).to_owned();
    let digits = fs::read_to_string(desk.path("psk")).expect("read").trim().to_owned();
    let long = format!("{digits}{}", " ".repeat(300));
    for content in ["", "hello", &digits[1..], &format!("{digits}0"), &format!("g{}", &digits[1..]), &long] {
        fs::write(desk.path("other"), content).expect("written");
        let says = format!("{}: it is no file of a key: 64 hex digits", desk.path("other"));
        for arguments in
            ["--psk @other", "--peer-key @other", "--token a:@other", "--peer-key @server.pub --key @other"]
        {
            assert_eq!(ping(arguments), says, "{content}");
        }
    }
    let missing = format!("{}: can't read the key: ", desk.path("missing"));
    assert!(ping("--token a:@missing").starts_with(&missing));
    // What may be a secret with a slip in it is not shown.
    let slip = &digits[1..];
    assert_eq!(ping(&format!("--psk {slip}")), "--psk: neither 64 hex digits nor a file that is there");
    assert_eq!(ping(&format!("--peer-key {slip}")), "--peer-key: neither 64 hex digits nor a file that is there");
}

#[test]
fn who_has_what_is_wanted_is_served() {
    let desk = Desk::new();
    let public = fs::read_to_string(desk.path("server.pub")).expect("read");
    let secret = fs::read_to_string(desk.path("psk")).expect("read");
    for (serve, ask) in [
        ("--key @server", "--peer-key @server.pub".to_owned()),
        ("--key @server", format!("--peer-key {public}")),
        ("--key @server", "--peer-key @stranger.pub --peer-key @server.pub".into()),
        ("--key @server --peer-key @client.pub", "--key @client --peer-key @server.pub".into()),
        ("--key @server --psk @psk", "--peer-key @server.pub --psk @psk".into()),
        ("--psk @psk", format!("--psk {secret}")),
        (
            "--key @server --token kiosk:@token --token shop:@other",
            "--peer-key @server.pub --token kiosk:@token".into(),
        ),
        (
            "--key @server --token kiosk:@other --token kiosk:@token",
            "--peer-key @server.pub --token kiosk:@token".into(),
        ),
    ] {
        let (server, address) = desk.serve(serve);
        assert_eq!(desk.client(&["request", &address, "echo", "hi"], &ask).fine(), "hi\n", "{serve}, {ask}");
        let open = server.line();
        assert!(open.contains(": line open, sealed by "), "{open}");
        assert_eq!(open.contains(", kiosk"), serve.contains("kiosk"), "{open}");
        let key = fs::read_to_string(desk.path("client.pub")).expect("read");
        assert_eq!(open.contains(key.trim()), ask.contains("--key"), "{open}");
        keeps_secrets(&desk, &open);
    }
    // So do the others.
    let (_server, address) = desk.serve("--psk @psk");
    for command in [&["ping", &address, "-c", "1"][..], &["notify", &address, "echo"]] {
        desk.client(command, "--psk @psk").fine();
    }
    assert_eq!(desk.client(&["fetch", &address, "x", "-o", "-"], "--psk @psk").code, Some(4));
    assert_eq!(desk.client(&["send", &address, "Cargo.toml"], "--psk @psk").code, Some(4));
}

#[test]
fn who_has_not_is_refused_clearly_at_both_ends() {
    let desk = Desk::new();
    const WANTS: &str =
        "ADDRESS wants to seal the line, and this end has no keys; --peer-key, --psk or --seal give it some";
    const NOT: &str = "the line is not sealed, and must be";
    const DIFFER: &str = "the ends differ in what is to be proved, or in whether a secret is shared";
    let no_line = |why: &str| format!("no line to ADDRESS: {why}");
    let plain = format!("{NOT}; the server has no keys");
    let differ = |may: &str| no_line(&format!("{DIFFER}; the server may {may}"));
    let stranger = desk.client(&["key", "show"], "@stranger").text().trim().to_owned();
    let stranger = format!("a client has the key {stranger}, which is none of --peer-key");
    for (serve, ask, told, shown) in [
        ("--key @server", "", WANTS.to_owned(), NOT),
        ("--psk @psk", "", WANTS.into(), NOT),
        ("--seal", "", WANTS.into(), NOT),
        ("--token kiosk:@token", "", WANTS.into(), NOT),
        ("", "--psk @psk", no_line(&plain), "the peer wants to seal the line, and this end has no keys"),
        ("", "--peer-key @server.pub", no_line(&plain), "the peer wants to seal the line, and this end has no keys"),
        (
            "--key @server",
            "--peer-key @stranger.pub",
            no_line("the peer's key is not trusted; it is none of --peer-key"),
            "a key is not trusted (48)",
        ),
        (
            "--key @server --peer-key @client.pub",
            "--peer-key @server.pub --key @stranger",
            "the line is over: closed by the peer: a key is not trusted (48); the server does not know that of --key"
                .into(),
            &stranger,
        ),
        (
            "--key @server --peer-key @client.pub",
            "--peer-key @server.pub",
            differ("want --key, with --peer-key, or want --psk, or have no key of its own"),
            "; clients need --peer-key and --key, without --psk",
        ),
        (
            "--key @server --psk @psk",
            "--peer-key @server.pub",
            differ("want --key, with --peer-key, or want --psk, or have no key of its own"),
            "; clients need --peer-key, with --psk",
        ),
        (
            "--key @server --psk @psk --token kiosk:@token",
            "--peer-key @server.pub --token kiosk:@token",
            differ("want --key, with --peer-key, or want --psk, or have no key of its own"),
            "; clients need --peer-key and --token, with --psk",
        ),
        (
            "--key @server",
            "--psk @psk",
            differ("want --peer-key, or want --key, with --peer-key, or know no --psk"),
            "; clients need --peer-key, without --psk",
        ),
        (
            "--psk @psk",
            "--peer-key @server.pub --key @client --psk @psk",
            differ("know no --psk, or have no key of its own"),
            "; clients need --psk alone",
        ),
        (
            "--seal",
            "--psk @psk",
            differ("want --peer-key, or want --key, with --peer-key, or know no --psk"),
            "; clients need --seal alone",
        ),
        (
            "--psk @psk",
            "--psk @other",
            no_line("closed by the peer: no keys could be agreed on (47); the server may have another --psk"),
            "the peer has other secrets",
        ),
        (
            "--key @server --token kiosk:@token",
            "--peer-key @server.pub --token kiosk:@other",
            no_line("the server did not take who this end is: unauthorised (3)"),
            "denied, for it has not the token of kiosk",
        ),
        (
            "--key @server --token kiosk:@token",
            "--peer-key @server.pub --token shop:@token",
            no_line("the server did not take who this end is: unauthorised (3)"),
            "denied, for it has not the token of shop",
        ),
        (
            "--key @server --token kiosk:@token",
            "--peer-key @server.pub",
            no_line("the server wants to know who this is: --token says it"),
            "no line, closed by the peer: done (0); clients need --peer-key and --token, without --psk",
        ),
    ] {
        let (server, address) = desk.serve(serve);
        let refused = desk.client(&["request", &address, "echo", "hi"], ask);
        let why = refused.failed(3);
        assert_eq!(why, told.replace("ADDRESS", &address), "{serve}, {ask}");
        keeps_secrets(&desk, why);
        keeps_secrets(&desk, &server.line_with(shown));
    }
}

#[test]
fn sealing_without_keys_is_warned_of() {
    let desk = Desk::new();
    let (_server, address) = desk.serve("--seal");
    let asked = desk.client(&["request", &address, "echo", "hi"], "--seal");
    assert_eq!((asked.code, asked.text()), (Some(0), "hi\n"), "{asked:?}");
    assert!(asked.stderr.starts_with("note: sealed, but not against everybody: "), "{asked:?}");
    desk.client(&["--quiet", "request", &address, "echo", "hi"], "--seal").fine();
}

#[test]
fn what_makes_no_sense_is_bad_usage() {
    let desk = Desk::new();
    for (command, arguments, says) in [
        (&["ping", "tcp://127.0.0.1:1"][..], "--key @client", "--key needs --peer-key: "),
        (&["serve", "tcp://127.0.0.1:0"], "--peer-key @client.pub", "--peer-key needs --key: "),
        (&["ping", "tcp://127.0.0.1:1"], "--token kiosk", "a token is NAME:FILE, such as kiosk:kiosk.token"),
        (&["ping", "tcp://127.0.0.1:1"], "--token :@token", "a token is NAME:FILE, such as kiosk:kiosk.token"),
        (
            &["trace", "record", &desk.path("line.trace"), "ping", "tcp://127.0.0.1:1"],
            "--psk @psk",
            "a sealed line can't be recorded",
        ),
        (&["demo"], "--key @server --peer-key @server.pub", "--peer-key is not for the demo: "),
        (&["ping", "tcp://127.0.0.1:1"], &format!("--psk {ZEROS}"), "a shared secret of zeros is none"),
        (&["serve", "tcp://127.0.0.1:0"], &format!("--psk {ZEROS}"), "a shared secret of zeros is none"),
    ] {
        let refused = desk.client(command, arguments);
        assert!(refused.failed(2).contains(says), "{refused:?}");
    }
}

#[test]
fn help_tells_of_keys_and_of_ps() {
    for command in ["demo", "serve", "send", "fetch", "request", "notify", "ping"] {
        let help = ropeway([command, "--help"]);
        let help = help.fine().split_whitespace().collect::<Vec<_>>().join(" ");
        for word in ["--key <FILE>", "--peer-key <HEX|FILE>", "--psk <HEX|FILE>", "--token <NAME:FILE>", "--seal"] {
            assert!(help.contains(word), "{command}: {word}");
        }
        assert!(help.contains("which others on this machine then see by ps"), "{command}: {help}");
        assert!(help.contains("who sits in between can pose as the peer"), "{command}: {help}");
    }
    assert!(ropeway(["key", "new", "--help"]).fine().contains("none is replaced"));
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_and_not_waited_for() {
    let desk = Desk::new();
    let made = std::process::Command::new("mkfifo").arg(desk.path("fifo")).status().expect("it is there");
    assert!(made.success());
    fs::create_dir(desk.path("folder")).expect("made");
    for name in ["fifo", "folder"] {
        let says = format!("{}: it is no regular file", desk.path(name));
        assert_eq!(desk.client(&["key", "show"], &format!("@{name}")).failed(5), says);
        for option in ["--psk", "--peer-key", "--token a:", "--peer-key @server.pub --key"] {
            let space = if option.ends_with(':') { "" } else { " " };
            let refused = desk.client(&["ping", "tcp://127.0.0.1:1"], &format!("{option}{space}@{name}"));
            assert_eq!(refused.failed(5), says, "{option}");
        }
    }
}
