//! What expressions beside the parameters come to for one run: `[resources] gpus` and `[retry] on_oom`.

use crate::expr::{self, Expr, Name};
use crate::fill::Part;
use crate::problem::quoted;
use crate::settings::Read;
use crate::source::{Found, Span};
use crate::space::Space;
use neronet_model::settings::Gpus;
use neronet_model::{Params, Settings, Value};

/// `[resources] gpus` of a run, where it is an expression; or why it is no number of GPUs.
pub fn gpus(settings: &Settings, params: &Params) -> Result<Option<u32>, String> {
    let Some(Gpus::Expression(text)) = &settings.resources.gpus else { return Ok(None) };
    count(text, params).map(Some).map_err(|fault| format!("[resources] gpus = {} {}", quoted(text), fault.why()))
}

/// The parameters that another attempt has otherwise, because this one ran out of memory, by `[retry] on_oom`; or why there is
/// nothing smaller. Each expression is of `params`, none of what another one made.
pub fn smaller(settings: &Settings, params: &Params) -> Result<Params, String> {
    let mut changed = Params::new();
    for (name, text) in &settings.retry.on_oom {
        let new = changed_to(name, text, params).map_err(|fault| format!("on_oom: {name} = {} {}", quoted(text), fault.why()))?;
        if let Some(new) = new {
            changed.set(name, new);
        }
    }
    if changed.is_empty() { Err("on_oom: nothing would change".to_string()) } else { Ok(changed) }
}

enum Fault {
    /// It cannot be read, which is told with its place where it is checked.
    Unread(String),
    /// It is not what it must be.
    Wrong(String),
    /// It cannot become smaller.
    Least(String),
}

impl Fault {
    fn why(&self) -> String {
        match self {
            Fault::Unread(why) | Fault::Wrong(why) | Fault::Least(why) => why.clone(),
        }
    }
}

/// What an expression comes to, and the names in it.
fn worked(text: &str, params: &Params) -> Result<(Value, Vec<String>), Fault> {
    let failed = |why: String| format!("cannot be worked out: {why}");
    let expr = expr::parse(text).map_err(|mistake| Fault::Unread(failed(mistake.message)))?;
    let (mut names, mut values) = (Vec::new(), Vec::new());
    let expr: Expr<usize> = expr.map(&mut |Name { name, .. }| {
        values.push(params.get(&name).cloned().ok_or_else(|| unknown(&name))?);
        names.push(name);
        Ok(values.len() - 1)
    })?;
    Ok((expr.eval(&values).map_err(|why| Fault::Wrong(failed(why)))?, names))
}

fn unknown(name: &str) -> Fault {
    Fault::Unread(format!("cannot be worked out: no parameter is called {}", quoted(name)))
}

fn count(text: &str, params: &Params) -> Result<u32, Fault> {
    let (value, _) = worked(text, params)?;
    let count = value.int().and_then(|int| u32::try_from(int).ok());
    count.ok_or_else(|| Fault::Wrong(format!("comes to {value}, which is no number of GPUs")))
}

/// Nothing where it stays as it is, and may.
fn changed_to(name: &str, text: &str, params: &Params) -> Result<Option<Value>, Fault> {
    let (value, names) = worked(text, params)?;
    let old = params.get(name).ok_or_else(|| unknown(name))?;
    let new = match (old.int(), old.number()) {
        (Some(old), _) => Value::Int(whole(old, &value)?),
        (None, Some(_)) => match value.number() {
            Some(0.0) => return Err(Fault::Least("comes to 0".to_string())),
            Some(_) => value,
            None => return Err(Fault::Wrong(format!("comes to {value}, which is no number"))),
        },
        (None, None) => value,
    };
    if new.identity() != old.identity() {
        return Ok(Some(new));
    }
    // What only sets something is done when it is set; what makes something smaller has come to its end.
    if names.iter().any(|known| known == name) { Err(Fault::Least(format!("stays {old}"))) } else { Ok(None) }
}

/// Rounded down, and at least 1.
fn whole(old: i64, value: &Value) -> Result<i64, Fault> {
    let number = value.number().ok_or_else(|| Fault::Wrong(format!("comes to {value}, which is no number")))?;
    let down = value.int().unwrap_or_else(|| number.floor() as i64);
    match down {
        ..1 if old <= 1 => Err(Fault::Least(format!("comes to {value}, and {old} cannot become smaller"))),
        down => Ok(down.max(1)),
    }
}

/// Runs that are worked out when a specification is read; of the others it is told when they are submitted, or run out of memory.
const FORESEEN: usize = 1_000;

/// What comes to nothing for one of the runs is told before any starts.
pub(crate) fn check(read: &Read, space: &Space, found: &mut Found<'_>) {
    let everywhere = std::iter::once((None, &read.settings));
    let targets = read.settings.on.iter().enumerate().map(|(at, (_, settings))| (Some(at), settings));
    for (target, settings) in everywhere.chain(targets) {
        let span = |part: Part, text: &str| {
            let mut written = read.written.iter().filter(|written| (written.target, written.part) == (target, part));
            written.find(|written| written.text == text).map(|written| written.span)
        };
        if let Some(Gpus::Expression(text)) = &settings.resources.gpus
            && let Some(span) = span(Part::Gpus, text)
        {
            let hint = "it must be a whole number for every run, as ceil(…) makes one";
            first_wrong(span, hint, space, |params| count(text, params).map(drop), found);
        }
        for (name, text) in &settings.retry.on_oom {
            if let Some(span) = span(Part::OnOom, text) {
                let hint = "it is what the parameter becomes, as in batch_size = \"batch_size / 2\"";
                first_wrong(span, hint, space, |params| changed_to(name, text, params).map(drop), found);
            }
        }
    }
}

/// To begin with the smallest is allowed.
fn first_wrong(span: Span, hint: &str, space: &Space, work: impl Fn(&Params) -> Result<(), Fault>, found: &mut Found<'_>) {
    let wrong = |params: Params| match work(&params) {
        Err(Fault::Wrong(why)) => Some((params, why)),
        _ => None,
    };
    if let Some((params, why)) = space.runs().take(FORESEEN).find_map(wrong) {
        let varying = space.varying();
        let at: Vec<String> = params
            .iter()
            .filter(|(name, _)| varying.iter().any(|known| known == name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let at = if at.is_empty() { String::new() } else { format!("for {} ", at.join(" ")) };
        found.error(span, format!("{at}this expression {why}"), hint.to_string());
    }
}
