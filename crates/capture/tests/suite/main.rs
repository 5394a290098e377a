//! Behaviour of the crate on real folders with the real git.

mod commits;
mod describing;
mod importing;
mod starting;
mod storing;
mod surveying;
mod tree;
