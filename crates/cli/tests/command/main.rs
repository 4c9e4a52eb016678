//! The binary as people and scripts meet it: what it prints, how it ends, what it does with what it is told.

mod configuration;
mod descriptors;
mod ends;
#[path = "../../../client/tests/fake/mod.rs"]
mod fake;
mod group;
mod hostile;
mod neighbour;
mod process;
mod ready;
mod storage;
