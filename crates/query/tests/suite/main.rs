//! The language as its users meet it: what is read and what it means, mistakes and their places, order, groups, pages; each against a
//! naive way to find the same.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod documented;
mod fuzzing;
mod grouping;
mod meaning;
mod mistakes;
mod naive;
mod ordering;
mod reading;
mod runs;
mod times;
