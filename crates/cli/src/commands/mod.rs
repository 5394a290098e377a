//! One command a file, named as on the command line.

pub(crate) mod again;
pub(crate) mod check;
pub(crate) mod clone;
pub(crate) mod compare;
pub(crate) mod followed;
pub(crate) mod lines;
pub(crate) mod live;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod metrics;
pub(crate) mod note;
pub(crate) mod page;
pub(crate) mod plot;
pub(crate) mod question;
pub(crate) mod read;
pub(crate) mod reference;
pub(crate) mod report;
pub(crate) mod rm;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod screen;
pub(crate) mod sheet;
pub(crate) mod show;
pub(crate) mod stop;
pub(crate) mod stream;
pub(crate) mod tag;
