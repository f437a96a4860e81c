//! The quick start of the README is that of each binding's documentation, which is compiled and run, but for one import
//! and for what starts the runtime.

use std::fs;

#[test]
fn every_binding_runs_the_quick_start_of_the_readme() {
    let readme = read("README.md");
    let (_, shown) = readme.split_once("## Quick start").expect("there is one");
    let shown = program(shown);
    assert!(shown.len() > 4, "{shown:?}");
    for binding in ["tokio", "async-std", "smol"] {
        let docs = read(&format!("bind-{binding}/src/lib.rs"));
        let docs: Vec<_> = docs.lines().filter_map(|line| line.strip_prefix("//!")).collect();
        let tested = program(&docs.join("\n"));
        let of_binding =
            |line: &String| line.replace("ropeway_tokio", &format!("ropeway_{}", binding.replace('-', "_")));
        assert_eq!(tested, shown.iter().map(of_binding).collect::<Vec<_>>(), "{binding}");
    }
}

/// The first block of code, without what starts the runtime.
fn program(text: &str) -> Vec<String> {
    let (_, code) = text.split_once("```").expect("there is code");
    let (code, _) = code.split_once("```").expect("it ends");
    // What follows the fence is its language; documentation hides what is there for the compiler alone.
    let lines = code.lines().skip(1).map(|line| line.trim().trim_start_matches("# "));
    let starts = ["#[", "async fn main", "fn main", "smol::block_on", "}"];
    let lines = lines.filter(|line| !line.is_empty() && !starts.iter().any(|&start| line.starts_with(start)));
    lines.map(String::from).collect()
}

fn read(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
