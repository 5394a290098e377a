//! What nobody needs on a target goes from there, once a day while home is in contact: the agent looks, in a thread that keeps nothing
//! else waiting, and says what it took and what the rest takes.

use crate::at_target::{self, Space};
use crate::context::Context;
use neronet_target::channel::Channel;
use neronet_target::wire::{Ask, Reply};
use std::sync::Arc;
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

/// It is looked so often whether it is time, and looking there may take so long.
const LOOKED: Duration = Duration::from_secs(3_600);
const PATIENCE: Duration = Duration::from_secs(4 * 3_600);
/// Whatever it says, the log stays readable.
const SENTENCES: usize = 20;
const MOST_SAID: usize = 400;

#[derive(Default)]
pub(super) struct Tidying {
    looked: Option<Instant>,
}

impl Tidying {
    /// The thread ends with the channel.
    pub(super) fn look<'s>(&mut self, scope: &'s Scope<'s, '_>, (context, name): (&'s Context, &str), channel: &Arc<Channel>) {
        if self.looked.is_some_and(|at| at.elapsed() < LOOKED) {
            return;
        }
        self.looked = Some(Instant::now());
        if at_target::is_due(context, name) {
            let (name, channel) = (name.to_string(), Arc::clone(channel));
            let tidy = move || tidy(context, &name, &channel);
            // Tried again the next time.
            Builder::new().name("tidy".into()).stack_size(1 << 20).spawn_scoped(scope, tidy).ok();
        }
    }
}

/// Has what nobody needs there go, and notes what the rest takes.
fn tidy(context: &Context, name: &str, channel: &Channel) {
    if let Ok((Reply::Tidied { bytes, files, binaries, gone }, _)) = channel.ask(Ask::Tidy, PATIENCE) {
        at_target::measured(context, name, &Space { at: context.now(), bytes, files, binaries });
        let plain = |said: &String| said.chars().filter(|c| !c.is_control()).take(MOST_SAID).collect::<String>();
        gone.iter().take(SENTENCES).for_each(|gone| (context.say)(&format!("{name}: {}", plain(gone))));
    }
}
