//! Ropeway's core alone, in virtual time: nothing here sleeps, and nothing but a seed decides what happens.
//!
//! - [`hand`]: one machine whose peer is written by hand, frame by frame.
//! - [`say`]: frames for it.
//! - [`plan`]: what two programs want to say to each other, as data, drawn by [`dice`].
//! - [`app`]: a program that carries a plan out, and notes what it hears.
//! - [`world`]: two machines, their programs, and a wire between that splits, delays and cuts.
//! - [`storage`]: the memories a machine can run on.
//! - [`oracle`]: what must hold for any bytes at all.
//! - [`life`]: a model of deadlines for it.

pub mod app;
pub mod dice;
pub mod hand;
pub mod life;
pub mod oracle;
pub mod plan;
pub mod say;
pub mod storage;
pub mod world;

/// Its snippets are compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/EMBEDDING.md")]
pub struct Embedding;

/// And its.
#[cfg(doctest)]
#[doc = include_str!("../../docs/TRACES.md")]
pub struct Traces;
