//! What neronet does, through its binary: how runs end, are stopped and go on, what is kept of them, and what bad input,
//! a full disk or a damaged home come to. Each test has a home of its own and waits for events, never for time to pass.

mod adversity;
mod api;
mod building;
mod capture;
mod curves;
mod daemon;
mod data;
mod declared;
mod detached;
mod disks;
mod endings;
mod filters;
mod granted;
mod metrics;
mod mounts;
mod output;
mod outputs;
mod preflight;
mod queueing;
mod requests;
mod resume;
mod sealing;
mod secrets;
mod sets;
mod sheets;
mod smoke;
mod specs;
mod stages;
mod steps;
mod stopping;
mod together;
mod variables;
mod wishes;
mod words;
mod world;
