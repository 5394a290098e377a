//! The crate through its door: rows in, points and drawings out, stored and not, whole and damaged.

mod damage;
mod draw;
mod naive;
mod points;
