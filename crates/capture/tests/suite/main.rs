//! Behaviour of the crate on real folders with the real git.

mod describing;
mod storing;
mod surveying;
mod tree;
