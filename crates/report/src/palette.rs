//! How curves are told apart: seven colours that colour-blind eyes tell apart too (after Okabe and Ito), times three kinds of line.

/// On white paper. Pages choose lighter ones on a dark ground (`page.css`), by the class `c0` to `c6`.
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#e69f00", "#b3589a", "#3fa3dd", "#5a5a5a"];
/// The same in the 256 colours of terminals; readable on dark and light ground.
const TERMINAL: [u8; 7] = [33, 202, 36, 214, 170, 81, 245];
const DASHES: [&str; 3] = ["", "7 3", "2 3"];

/// Curves that can be told apart by colour alone.
pub(crate) const COLOUR_COUNT: usize = COLOURS.len();

pub(crate) fn colour(curve: usize) -> &'static str {
    COLOURS[curve % COLOUR_COUNT]
}

pub(crate) fn terminal_colour(curve: usize) -> u8 {
    TERMINAL[curve % COLOUR_COUNT]
}

/// As `stroke-dasharray` takes it; empty for a full line.
pub(crate) fn dash(curve: usize) -> &'static str {
    DASHES[curve / COLOUR_COUNT % DASHES.len()]
}
