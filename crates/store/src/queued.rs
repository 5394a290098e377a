//! The queue of a home, unpacked when somebody asks for it: where all has ended, most do not.

use neronet_schedule::Queue;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

#[derive(Debug, Clone, Default)]
pub struct Queued {
    known: OnceLock<Arc<Queue>>,
    /// Where it is packed: from which byte on.
    packed: Option<(Arc<Vec<u8>>, usize)>,
}

impl Queued {
    pub(crate) fn packed(bytes: Arc<Vec<u8>>, begins: usize) -> Queued {
        Queued { known: OnceLock::new(), packed: Some((bytes, begins)) }
    }

    /// Whether it can be unpacked. It is, then.
    pub(crate) fn is_sound(&self) -> bool {
        let queue = self.unpack();
        queue.is_some_and(|queue| self.known.set(Arc::new(queue)).is_ok())
    }

    fn unpack(&self) -> Option<Queue> {
        let (bytes, begins) = self.packed.as_ref()?;
        postcard::from_bytes(bytes.get(*begins..)?).ok()
    }

    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Queue)) {
        let mut queue = self.known.take().unwrap_or_else(|| Arc::new(self.unpack().unwrap_or_default()));
        change(Arc::make_mut(&mut queue));
        *self = Queued { known: OnceLock::from(queue), packed: None };
    }
}

impl Deref for Queued {
    type Target = Queue;
    fn deref(&self) -> &Queue {
        self.known.get_or_init(|| Arc::new(self.unpack().unwrap_or_default()))
    }
}

impl PartialEq for Queued {
    fn eq(&self, other: &Queued) -> bool {
        **self == **other
    }
}
