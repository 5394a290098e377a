//! What one line of text says.

/// The findings of one line. Axes (step, epoch, time) stand apart from values; a value with neither step nor epoch is a
/// summary. `step` is the script's own counter: where a script counts within epochs it starts anew with each, and `steps`
/// and `epoch` are there too.
#[derive(Default, Clone, Debug, PartialEq)]
pub struct Found {
    pub step: Option<i64>,
    /// How many steps there will be.
    pub steps: Option<i64>,
    pub epoch: Option<f64>,
    /// How many epochs there will be.
    pub epochs: Option<f64>,
    /// The script's own time in Unix seconds.
    pub time: Option<f64>,
    pub values: Vec<(String, f64)>,
    /// What the script writes as metrics and is no number.
    pub tags: Vec<(String, String)>,
    /// What the script says of its own configuration.
    pub config: Vec<(String, String)>,
    /// Which reader understood the line.
    pub reader: Option<&'static str>,
}

impl Found {
    pub fn clear(&mut self) {
        self.step = None;
        self.steps = None;
        self.epoch = None;
        self.epochs = None;
        self.time = None;
        self.values.clear();
        self.tags.clear();
        self.config.clear();
        self.reader = None;
    }

    /// Nothing at all was read, not even a step or an epoch.
    pub fn is_empty(&self) -> bool {
        self.step.is_none()
            && self.steps.is_none()
            && self.epoch.is_none()
            && self.epochs.is_none()
            && self.time.is_none()
            && self.values.is_empty()
            && self.tags.is_empty()
            && self.config.is_empty()
    }

    /// Adds a value. A name that is there already takes the later value, as in a dictionary.
    pub(crate) fn set(&mut self, name: String, value: f64) {
        // Past a hundred names the search would cost more than a doubled point does.
        match self.values.iter_mut().take(100).find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => self.values.push((name, value)),
        }
    }
}
