//! The name of a received file, and how to show text of a peer's.
//!
//! A name from the peer is text, never a path. What would not be one plain file on every system, or would not look like what it
//! is, is refused and not mended: a mended name is one that nobody sent.

use std::error::Error;
use std::fmt::{self, Write};

/// A file name that is one plain component of a path on every system, and shows as what it is.
///
/// It may begin with a dot: whether hidden files are welcome is for the application to say. It holds nothing that a terminal
/// would obey.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SafeName(String);

/// Which rule a name breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing at all.
    Empty,
    /// `.` or `..`.
    Relative,
    /// More than [`SafeName::MAX_BYTES`].
    TooLong {
        /// Its length in UTF-8.
        bytes: usize,
    },
    /// `/` or `\`: part of a path, absolute, or a share on a network.
    Separator(char),
    /// A colon, which names a drive or a stream within a file.
    Colon,
    /// One of `< > " | ? *`, which not every system takes.
    Character(char),
    /// A control character.
    Control(char),
    /// A character that is not seen and makes a name look like another.
    Invisible(char),
    /// A space in front.
    LeadingSpace,
    /// A dot or a space at the end, which some systems drop.
    TrailingDotOrSpace,
    /// The name of a device on Windows, with or without an extension.
    Reserved,
    /// A name that is kept for files that are not yet complete.
    Temporary,
}

/// What a directory entry may have on every system in use.
const ENTRY_BYTES: usize = 255;
/// In front of every file that is not yet complete; the dot hides it. ASCII, so that no system takes another name for it but by
/// letter case.
const PREFIX: &str = ".ropeway-";
/// Behind a file that is not yet complete: nothing opens it by the extension of what it will become.
const PARTIAL: &str = ".part";
/// Behind the empty file that shows which mode files get here; not longer than [`PARTIAL`].
#[cfg(unix)]
const PROBE: &str = ".mode";

impl SafeName {
    /// The longest name in bytes of UTF-8, which leaves room for what a partial file's name has besides.
    pub const MAX_BYTES: usize = ENTRY_BYTES - PREFIX.len() - PARTIAL.len();

    /// The name, if it is safe as it stands.
    pub fn new(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if matches!(name, "." | "..") {
            return Err(NameError::Relative);
        }
        if name.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { bytes: name.len() });
        }
        check_characters(name)?;
        if name.starts_with(char::is_whitespace) {
            return Err(NameError::LeadingSpace);
        }
        if name.ends_with(|c: char| c == '.' || c.is_whitespace()) {
            return Err(NameError::TrailingDotOrSpace);
        }
        if is_device(name) {
            return Err(NameError::Reserved);
        }
        if begins(name, PREFIX) {
            return Err(NameError::Temporary);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the file is called until it is complete.
    pub(super) fn partial(&self) -> String {
        format!("{PREFIX}{self}{PARTIAL}")
    }

    /// What the file is called that shows which mode files get.
    #[cfg(unix)]
    pub(super) fn probe(&self) -> String {
        format!("{PREFIX}{self}{PROBE}")
    }
}

/// Untrusted text for a terminal or a log: what would be obeyed or not be seen is spelled out, the rest shown as it is.
///
/// Control characters (line ends and escape sequences among them), changes of writing direction and invisible characters become
/// `\n`, `\u{1b}`, `\u{202e}` and the like.
pub fn printable(text: &str) -> impl fmt::Display {
    Printable(text)
}

impl AsRef<str> for SafeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let character = |f: &mut fmt::Formatter<'_>, kind: &str, c: char| {
            write!(f, "the file name contains the {kind} '{}'", c.escape_default())
        };
        match *self {
            Self::Empty => f.write_str("the file name is empty"),
            Self::Relative => f.write_str("the file name stands for a folder"),
            Self::TooLong { bytes } => write!(f, "the file name has {bytes} bytes, more than {}", SafeName::MAX_BYTES),
            Self::Separator(c) => character(f, "separator", c),
            Self::Colon => character(f, "mark of a drive or stream", ':'),
            Self::Character(c) => character(f, "reserved character", c),
            Self::Control(c) => character(f, "control character", c),
            Self::Invisible(c) => character(f, "invisible character", c),
            Self::LeadingSpace => f.write_str("the file name begins with a space"),
            Self::TrailingDotOrSpace => f.write_str("the file name ends with a dot or a space"),
            Self::Reserved => f.write_str("the file name is the name of a device"),
            Self::Temporary => f.write_str("the file name is kept for partial files"),
        }
    }
}

impl Error for NameError {}

struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c.is_control() || is_hidden(c) {
            true => write!(f, "{}", c.escape_default()),
            false => f.write_char(c),
        })
    }
}

fn check_characters(name: &str) -> Result<(), NameError> {
    let mut before = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' | '\\' => return Err(NameError::Separator(c)),
            ':' => return Err(NameError::Colon),
            '<' | '>' | '"' | '|' | '?' | '*' => return Err(NameError::Character(c)),
            c if c.is_control() => return Err(NameError::Control(c)),
            c if is_hidden(c) => return Err(NameError::Invisible(c)),
            c if is_variation(c) && !before.is_some_and(is_shaped) => {
                return Err(NameError::Invisible(c));
            }
            c if is_joiner(c) => {
                let joins = before.is_some_and(|b| is_shaped(b) || is_variation(b))
                    && rest.peek().copied().is_some_and(is_shaped);
                if !joins {
                    return Err(NameError::Invisible(c));
                }
            }
            _ => {}
        }
        before = Some(c);
    }
    Ok(())
}

/// The devices of Windows, which it finds in front of any extension and of spaces before that.
/// Source: "Naming Files, Paths, and Namespaces" of its documentation.
fn is_device(name: &str) -> bool {
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem).trim_end_matches(' ');
    let device = |names: &[&str]| names.iter().any(|name| stem.eq_ignore_ascii_case(name));
    let port = |ports: &[&str]| ports.iter().any(|port| begins(stem, port));
    let numbered =
        || stem.chars().count() == 4 && stem.ends_with(|c: char| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³'));
    device(&["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]) || port(&["COM", "LPT"]) && numbered()
}

fn begins(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Letters and signs whose shape joiners and variation selectors may change: in ASCII these only hide.
fn is_shaped(c: char) -> bool {
    !c.is_ascii() && !is_joiner(c) && !is_variation(c)
}

/// Persian, the scripts of India and emoji are written with them.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Emoji and Chinese characters are written with them.
fn is_variation(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Characters that are not seen, or that turn what is seen: line separators, marks of direction, blanks that are no spaces, and
/// the rest of Unicode's `Default_Ignorable_Code_Point` and of its category `Cf` that has no shape of its own.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{70f}'
        | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}'
        | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::{Arbitrary, Gen, QuickCheck};
    use std::path::{Component, Path};

    fn check(expected: impl Fn(char) -> Option<NameError>, names: &[&str]) {
        for name in names {
            // Where the error names a character, it is one of the name's own.
            let broken = name.chars().chain(['\0']).find_map(&expected);
            assert_eq!(SafeName::new(name).err(), broken, "{name:?}");
        }
    }

    fn refuses(error: NameError, names: &[&str]) {
        check(|_| Some(error), names);
    }

    #[test]
    fn takes_plain_names_as_they_are() {
        let longest = "ä".repeat(SafeName::MAX_BYTES / 2);
        let names = [
            "report.pdf",
            ".hidden",
            "a b.tar.gz",
            "..a",
            "a..b",
            "naïve – 名前.txt",
            "Screenshot at 1.02.03\u{202f}PM.png",
            "می\u{200c}خواهم.txt",
            "👨\u{200d}👩\u{200d}👧.png",
            "❤\u{fe0f}\u{200d}🔥.png",
            "葛\u{e0100}城.txt",
            "console.log",
            "COM10",
            "COM",
            "COMα",
            "null",
            "CONIN",
            "ropeway-a.part",
            ".ropeway",
            &longest,
        ];
        check(|_| None, &names);
        for name in names {
            assert_eq!(SafeName::new(name).map(|safe| safe.to_string()).as_deref(), Ok(name));
        }
    }

    #[test]
    fn refuses_what_is_more_than_a_component() {
        refuses(NameError::Empty, &[""]);
        refuses(NameError::Relative, &[".", ".."]);
        refuses(
            NameError::Separator('/'),
            &["/", "../x", "a/../../x", "/etc/passwd", "a/", "./a", "//server/share", "a/b\\c"],
        );
        refuses(
            NameError::Separator('\\'),
            &["\\", "..\\x", "\\\\server\\share", "\\\\?\\C:\\x", "a\\b/c", "\\Windows"],
        );
        refuses(NameError::Colon, &["C:", "C:x", "C:\\x", "c:/x", "a:b", "file.txt::$DATA", ":"]);
    }

    #[test]
    fn refuses_characters_not_every_system_takes() {
        let reserved = |c| matches!(c, '<' | '>' | '"' | '|' | '?' | '*').then_some(NameError::Character(c));
        check(reserved, &["a<b", "a>b", "a\"b", "a|b", "a?b", "*.*"]);
        let control = |c: char| c.is_control().then_some(NameError::Control(c));
        check(control, &["a\0b", "\0", "a\n", "\tb", "\u{1b}[2J", "a\u{7f}", "a\u{85}b", "\u{9b}2J"]);
    }

    #[test]
    fn refuses_names_that_some_systems_shorten() {
        refuses(NameError::TrailingDotOrSpace, &["a.", "a ", "a. .", "...", ". .", "a\u{a0}", "CON."]);
        refuses(NameError::LeadingSpace, &[" a", " ", "\u{3000}a", " .."]);
        let long = "a".repeat(SafeName::MAX_BYTES + 1);
        refuses(NameError::TooLong { bytes: long.len() }, &[&long]);
        let wide = "名".repeat(85);
        refuses(NameError::TooLong { bytes: 255 }, &[&wide]);
    }

    #[test]
    fn refuses_devices_with_any_extension() {
        let names = [
            "CON",
            "con",
            "Con.txt",
            "PRN",
            "aux.h",
            "NUL",
            "nul.tar.gz",
            "COM0",
            "com1",
            "COM9.x",
            "LPT0",
            "lpt9",
            "COM¹",
            "com².txt",
            "LPT³",
            "CONIN$",
            "conout$.txt",
            "NUL .txt",
            "CON  .x",
        ];
        refuses(NameError::Reserved, &names);
    }

    #[test]
    fn refuses_what_hides_in_a_name() {
        let unseen = |c| (is_hidden(c) || is_joiner(c) || is_variation(c)).then_some(NameError::Invisible(c));
        let names = [
            "invoice\u{202e}fdp.exe",
            "a\u{2066}b",
            "a\u{2069}",
            "a\u{200b}b",
            "a\u{200e}.txt",
            "\u{feff}a",
            "a\u{2028}b",
            "a\u{ad}b",
            "a\u{2060}",
            "a\u{3164}.exe",
            "a\u{e0041}",
            "report.pdf\u{200d}",
            "a\u{200c}b",
            "é\u{200d}.exe",
            "é\u{200d}\u{200d}é",
            ".rope\u{200c}way-a.part",
            "a\u{fe0f}",
            "é\u{fe0f}\u{fe0f}",
        ];
        check(unseen, &names);
    }

    #[test]
    fn refuses_names_of_partial_files() {
        refuses(NameError::Temporary, &[".ropeway-a.part", ".ROPEWAY-x", ".Ropeway-"]);
        let longest = SafeName::new(&"a".repeat(SafeName::MAX_BYTES)).expect("it is of the length allowed");
        for name in [
            longest.partial(),
            #[cfg(unix)]
            longest.probe(),
        ] {
            assert_eq!(name.len(), ENTRY_BYTES);
            assert!(SafeName::new(&name[..100]).is_err());
        }
    }

    #[test]
    fn a_safe_name_stays_in_its_folder_and_prints_as_it_is() {
        fn holds(Nasty(name): Nasty) -> bool {
            let Ok(safe) = SafeName::new(&name) else {
                return true;
            };
            let path = Path::new("folder").join(safe.as_str());
            path.components().eq([Component::Normal("folder".as_ref()), Component::Normal(name.as_ref())])
                && printable(&name).to_string() == name
        }
        QuickCheck::new().tests(10_000).quickcheck(holds as fn(Nasty) -> bool);
    }

    #[test]
    fn printable_text_moves_no_cursor() {
        let cases = [
            ("plain – 名前 👨\u{200d}👩", "plain – 名前 👨\u{200d}👩"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\u{9b}2Jb", "a\\u{9b}2Jb"),
            ("one\r\ntwo\t\u{8}\u{7f}", "one\\r\\ntwo\\t\\u{8}\\u{7f}"),
            ("invoice\u{202e}fdp.exe", "invoice\\u{202e}fdp.exe"),
            ("\u{2067}a\u{2069}\u{200f}\u{2028}", "\\u{2067}a\\u{2069}\\u{200f}\\u{2028}"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text).to_string(), expected);
        }
    }

    #[test]
    fn errors_show_what_they_refuse_harmlessly() {
        assert_eq!(NameError::Control('\u{1b}').to_string(), "the file name contains the control character '\\u{1b}'");
        assert_eq!(NameError::Separator('\\').to_string(), "the file name contains the separator '\\\\'");
    }

    #[derive(Debug, Clone)]
    struct Nasty(String);

    impl Arbitrary for Nasty {
        fn arbitrary(g: &mut Gen) -> Self {
            let alphabet = [
                '.', ' ', 'a', 'C', 'O', 'N', '1', '/', '\\', ':', 'é', '\u{200d}', '\u{202e}', '\0', '\u{1b}', '~',
                '$',
            ];
            let draw = |g: &mut Gen| {
                if bool::arbitrary(g) { g.choose(&alphabet).copied() } else { Some(char::arbitrary(g)) }
            };
            Self((0..usize::arbitrary(g) % 6).filter_map(|_| draw(g)).collect())
        }
    }
}
