//! The value that a path leads to, or how far it led.
//!
//! Each dot parts two names. Only where that leads nowhere may a name of the file have dots itself, so `a.b.c` finds the
//! key `a.b` too as long as nothing else fits.

use crate::mistake::Refusal;
use crate::path::{Form, Path, Step};
use crate::tree::{Kind, Node};

/// How far a path led, and why not further.
#[derive(Debug)]
pub(crate) struct Lost<'t> {
    /// The last value on the way.
    pub(crate) at: &'t Node,
    /// The names on the way there, as the file has them.
    pub(crate) way: Vec<String>,
    /// Steps of the path that led there.
    pub(crate) steps: usize,
    pub(crate) why: Why,
}

#[derive(Debug)]
pub(crate) enum Why {
    NotThere,
    /// Several readings of its dots fit.
    Ambiguous,
}

/// Values that are looked at for one path; only a file made for it has that many that fit.
const MOST: usize = 1000;

pub(crate) fn find<'t>(root: &'t Node, path: &Path) -> Result<&'t Node, Lost<'t>> {
    let mut search = Search { steps: &path.steps, found: Vec::new(), best: None, seen: 0 };
    search.from(root, 0, &mut Vec::new(), true);
    let plain = search.found.iter().find(|(_, plain)| *plain);
    match (plain, search.found.as_slice()) {
        (Some((node, _)), _) => Ok(node),
        (None, [(node, _)]) if search.seen <= MOST => Ok(node),
        (None, found) => {
            let (steps, at, way) = search.best.unwrap_or((0, root, Vec::new()));
            let why = if found.is_empty() { Why::NotThere } else { Why::Ambiguous };
            Err(Lost { at, way, steps, why })
        }
    }
}

struct Search<'p, 't> {
    steps: &'p [Step],
    /// What fits, and whether each dot parts two names on the way there.
    found: Vec<(&'t Node, bool)>,
    best: Option<(usize, &'t Node, Vec<String>)>,
    seen: usize,
}

impl<'t> Search<'_, 't> {
    fn from(&mut self, node: &'t Node, done: usize, way: &mut Vec<String>, plain: bool) {
        self.seen += 1;
        if self.seen > MOST {
            return;
        }
        if self.best.as_ref().is_none_or(|(steps, _, _)| done > *steps) {
            self.best = Some((done, node, way.clone()));
        }
        let Some(step) = self.steps.get(done) else {
            self.found.push((node, plain));
            return;
        };
        match &node.kind {
            Kind::List(items) if step.form != Form::Quoted => {
                if let Some(item) = step.name.parse().ok().and_then(|index: usize| items.get(index)) {
                    way.push(step.name.clone());
                    self.from(item, done + 1, way, plain);
                    way.pop();
                }
            }
            Kind::Table(table) if step.form != Form::Index => {
                let mut name = String::new();
                for (extra, step) in self.steps[done..].iter().enumerate() {
                    // Only bare names can be parts of one.
                    if extra > 0 && (step.form != Form::Bare || self.steps[done].form != Form::Bare) {
                        break;
                    }
                    if extra > 0 {
                        name.push('.');
                    }
                    name.push_str(&step.name);
                    if let Some(value) = table.get(&name) {
                        way.push(name.clone());
                        self.from(value, done + extra + 1, way, plain && extra == 0);
                        way.pop();
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whether a path leads to a value, for guesses at what was meant.
pub(crate) fn leads(root: &Node, path: &str) -> bool {
    Path::parse(path).map_err(drop::<Refusal>).is_ok_and(|path| find(root, &path).is_ok())
}
