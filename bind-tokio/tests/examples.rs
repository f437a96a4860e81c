//! The examples run to their end.

#[cfg(feature = "mount")]
#[path = "../examples/axum.rs"]
mod axum;
#[path = "../examples/echo.rs"]
mod echo;
#[path = "../examples/files.rs"]
mod files;
#[cfg(feature = "seal")]
#[path = "../examples/sealed.rs"]
mod sealed;
#[path = "../examples/search.rs"]
mod search;
#[path = "../examples/tail.rs"]
mod tail;
#[cfg(feature = "tls-ring")]
#[path = "../examples/tls.rs"]
mod tls;

#[cfg(feature = "mount")]
#[test]
fn axum_runs() {
    axum::main().expect("it answers beside a page");
}

#[test]
fn echo_runs() {
    echo::main().expect("it answers");
}

#[test]
fn files_runs() {
    files::main().expect("they come and go");
}

#[cfg(feature = "seal")]
#[test]
fn sealed_runs() {
    sealed::main().expect("each end takes the other for who it is");
}

#[test]
fn search_runs() {
    search::main().expect("it finds something");
}

#[test]
fn tail_runs() {
    tail::main().expect("it comes back");
}

#[cfg(feature = "tls-ring")]
#[test]
fn tls_runs() {
    tls::main().expect("the certificate is to be trusted");
}
