//! How a Rust type is called on the wire: its name without the modules it lives in.
//!
//! Two programs that share a message type call it the same, wherever each of them keeps it.

use std::any::type_name;

/// What lies around a value without a trace of it on the wire, besides references.
const AROUND: [&str; 4] = ["alloc::boxed::Box<", "alloc::sync::Arc<", "alloc::rc::Rc<", "alloc::borrow::Cow<"];

/// The name of `T`, with every path cut to its last segment, references and boxes left out, and text and rows called as
/// who receives them owns them, for they travel alike: `Vec<Entry>`.
pub(crate) fn label<T: ?Sized>() -> String {
    shorten(type_name::<T>())
}

/// What a body has to be for a `T`, in the words that are used of bodies that came.
pub(crate) fn wanted<T: ?Sized>() -> String {
    match bare::<T>() {
        "()" => "nothing".into(),
        "bytes::bytes::Bytes" => "bytes".into(),
        _ if is_octets::<T>() => "bytes".into(),
        _ if is_plain::<T>() => "text".into(),
        _ => label::<T>(),
    }
}

/// Whether `T` is called so.
pub(crate) fn is_labelled<T: ?Sized>(name: &str) -> bool {
    let full = type_name::<T>();
    if full.contains(['<', '&', '(', '[']) { *shorten(full) == *name } else { full.rsplit("::").next() == Some(name) }
}

/// The full name of what lies in all boxes and behind all references.
fn bare<T: ?Sized>() -> &'static str {
    let mut name = type_name::<T>();
    loop {
        name = name.trim_start_matches('&');
        let around = AROUND.iter().find_map(|around| name.strip_prefix(around)?.strip_suffix('>'));
        match around {
            Some(inner) => name = inner.trim_start_matches("'_, "),
            None => return name,
        }
    }
}

/// The name without boxes.
fn unbox(mut full: String) -> String {
    while let Some((at, around)) = AROUND.iter().find_map(|around| Some((full.find(around)?, around))) {
        let mut depth = 0;
        let mut before = ' ';
        let end = full[at + around.len()..].find(|c| {
            match c {
                '<' => depth += 1,
                // Functions have arrows in their names.
                '>' if before != '-' => depth -= 1,
                _ => {}
            }
            before = c;
            depth < 0
        });
        let Some(end) = end else { return full };
        full.remove(at + around.len() + end);
        full.replace_range(at..at + around.len(), "");
    }
    full
}

fn shorten(full: &str) -> String {
    // Some compilers write lifetimes and some do not.
    let full = unbox(full.replace("<'_>", "").replace("'_, ", ""));
    let mut short = String::with_capacity(full.len());
    let mut segment = 0;
    // Where the brackets that stand open are, unless they turned out to be of an array.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut rest = full.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            ':' if rest.peek() == Some(&':') => {
                rest.next();
                short.truncate(segment);
            }
            '&' => {}
            c if c.is_alphanumeric() || c == '_' => short.push(c),
            c => {
                own(&mut short, segment);
                let closed = match c {
                    '[' => {
                        open.push(Some(short.len()));
                        None
                    }
                    ';' => {
                        open.pop();
                        open.push(None);
                        None
                    }
                    ']' => open.pop().flatten(),
                    _ => None,
                };
                match closed {
                    Some(at) => {
                        short.replace_range(at..=at, "Vec<");
                        short.push('>');
                    }
                    None => short.push(c),
                }
                segment = short.len();
            }
        }
    }
    own(&mut short, segment);
    // What is left of `&mut T` and `&'a T` is no part of the shape.
    short.trim_start_matches("mut ").to_owned()
}

/// Text is called a string, whoever owns it.
fn own(short: &mut String, segment: usize) {
    if &short[segment..] == "str" {
        short.replace_range(segment.., "String");
    }
}

/// Whether `T` is a row of octets. Serde shows such types as rows of numbers; as a body they are raw octets.
pub(crate) fn is_octets<T: ?Sized>() -> bool {
    matches!(bare::<T>(), "[u8]" | "alloc::vec::Vec<u8>") || is_array::<T>()
}

/// Whether `T` is a row of octets whose length is part of its type.
pub(crate) fn is_array<T: ?Sized>() -> bool {
    bare::<T>().starts_with("[u8; ")
}

/// Whether `T` shows its text or octets without running anybody's code, so that it may do so under a lock.
pub(crate) fn is_plain<T: ?Sized>() -> bool {
    matches!(bare::<T>(), "str" | "alloc::string::String" | "bytes::bytes::Bytes" | "()")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_called_by_their_own_name_only() {
        struct Entry;
        assert_eq!(label::<Entry>(), "Entry");
        assert_eq!(label::<&Entry>(), "Entry");
        assert_eq!(label::<Vec<Entry>>(), "Vec<Entry>");
        assert_eq!(label::<(u8, Option<&str>)>(), "(u8, Option<String>)");
        assert_eq!(label::<std::collections::BTreeMap<String, [Entry; 3]>>(), "BTreeMap<String, [Entry; 3]>");
        assert_eq!(label::<u64>(), "u64");
        assert_eq!(label::<std::slice::Iter<'_, Entry>>(), "Iter<Entry>");
        assert_eq!(label::<&[(u32, &str)]>(), label::<Vec<(u32, String)>>());
        assert_eq!(label::<[[&[[u8; 2]]; 3]; 4]>(), "[[Vec<[u8; 2]>; 3]; 4]");
        assert!(is_labelled::<Entry>("Entry") && is_labelled::<Vec<Entry>>("Vec<Entry>") && is_labelled::<u8>("u8"));
        assert!(!is_labelled::<Entry>("Entr") && !is_labelled::<Vec<Entry>>("Vec") && !is_labelled::<u8>("tests::u8"));
    }

    #[test]
    fn what_lies_around_a_type_is_no_part_of_its_name() {
        use std::borrow::Cow;
        use std::rc::Rc;
        use std::sync::Arc;
        struct Box<T>(T);
        type Boxed<T> = std::boxed::Box<T>;
        assert_eq!(label::<Boxed<u8>>(), "u8");
        assert_eq!(label::<&Arc<Rc<Boxed<u8>>>>(), "u8");
        assert_eq!(label::<Cow<'_, str>>(), "String");
        assert_eq!(label::<Vec<(Arc<str>, Boxed<[Rc<u8>]>)>>(), "Vec<(String, Vec<u8>)>");
        assert_eq!(label::<Result<Boxed<fn(Option<u8>) -> Arc<u8>>, u8>>(), "Result<fn(Option<u8>) -> u8, u8>");
        assert_eq!(label::<Box<u8>>(), "Box<u8>");
        assert!(is_labelled::<Boxed<u8>>("u8") && !is_labelled::<Boxed<u8>>("Box<u8>"));
        assert_eq!(
            [wanted::<Boxed<()>>(), wanted::<Cow<'_, [u8]>>(), wanted::<Arc<str>>()],
            ["nothing", "bytes", "text"]
        );
    }

    #[test]
    fn text_and_octets_are_plain() {
        assert!(is_plain::<str>() && is_plain::<&String>() && is_plain::<bytes::Bytes>() && is_plain::<()>());
        assert!(is_plain::<Box<str>>() && is_plain::<std::sync::Arc<str>>() && is_plain::<std::borrow::Cow<'_, str>>());
        assert!(!is_plain::<std::sync::Mutex<String>>() && !is_plain::<Option<String>>());
    }

    #[test]
    fn rows_of_octets_are_known_in_every_form() {
        assert!(is_octets::<[u8]>() && is_octets::<Vec<u8>>() && is_octets::<&&[u8]>() && is_octets::<[u8; 7]>());
        assert!(is_octets::<Box<[u8]>>() && is_octets::<std::sync::Arc<Vec<u8>>>() && is_octets::<Box<[u8; 3]>>());
        assert!(!is_octets::<Vec<u16>>() && !is_octets::<str>() && !is_octets::<[[u8; 2]; 2]>());
    }
}
