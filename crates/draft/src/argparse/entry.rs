//! One option or argument of a help: its names, what it takes, its default.

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Entry {
    /// Without dashes; the long one where there is one.
    pub(super) name: String,
    pub(super) long: bool,
    /// There is `--no-name` too.
    pub(super) negated: bool,
    pub(super) metavars: Vec<String>,
    pub(super) choices: Vec<String>,
    pub(super) default: Option<String>,
    /// What the source says of it where the help says nothing.
    pub(super) declared: Option<String>,
    pub(super) required: bool,
    /// The function that reads its value, as the script names it.
    pub(super) kind: Option<String>,
    /// Without what it says of the default.
    pub(super) help: String,
}

impl Entry {
    pub(super) fn positional(name: &str) -> Entry {
        Entry { name: name.to_string(), ..Entry::default() }
    }

    pub(super) fn is_switch(&self) -> bool {
        self.metavars.is_empty() && self.choices.is_empty()
    }

    /// Its default is a truth value, and it may be one that takes any text for true.
    pub(super) fn takes_any_truth(&self) -> bool {
        let truth = self.default.as_deref().is_some_and(|default| matches!(default, "True" | "False"));
        let any = self.kind.as_ref().is_none_or(|kind| kind == "bool");
        truth && any && self.choices.is_empty() && !self.metavars.iter().any(|metavar| metavar == "BOOLEAN")
    }

    /// What is to be written in its place.
    pub(super) fn wants(&self) -> String {
        let metavar = self.metavars.first().map_or("", |metavar| metavar.trim_matches(['[', ']', '<', '>']));
        let own = self.name.replace('-', "_");
        match self.kind.as_deref() {
            Some("int") => "a whole number".to_string(),
            Some("float") => "a number".to_string(),
            _ if self.choices.is_empty() && !metavar.is_empty() && !metavar.eq_ignore_ascii_case(&own) => metavar.to_string(),
            _ => "its value".to_string(),
        }
    }

    /// It takes several values.
    pub(super) fn is_list(&self) -> bool {
        self.metavars.len() > 1 || self.metavars.iter().any(|metavar| metavar.contains("..."))
    }
}

/// Types of click and typer, which stand in a column of their own.
const TYPES: &str = "INTEGER FLOAT TEXT PATH FILE DIRECTORY BOOLEAN UUID FILENAME DATETIME";
const SECTIONS: [&str; 4] = ["options", "arguments", "commands", "positional arguments"];

/// The arguments and the options, in the order of the text.
pub(super) fn all(text: &str) -> (Vec<Entry>, Vec<Entry>) {
    let (mut positionals, mut options): (Vec<Entry>, Vec<Entry>) = (Vec::new(), Vec::new());
    let mut section = String::new();
    let mut in_usage = false;
    // The help of the entry that is being read, and how far its line is indented.
    let mut open: Option<(Entry, String, usize, bool)> = None;
    let close = |open: &mut Option<(Entry, String, usize, bool)>, positionals: &mut Vec<Entry>, options: &mut Vec<Entry>| {
        if let Some((mut entry, help, _, positional)) = open.take() {
            entry.explained(&help);
            if positional { positionals.push(entry) } else { options.push(entry) }
        }
    };
    for line in text.lines() {
        let trimmed = line.trim();
        let indent = line.chars().take_while(|c| *c == ' ').count();
        let lower = trimmed.to_ascii_lowercase();
        if lower.starts_with("usage:") {
            in_usage = true;
            continue;
        }
        if trimmed.is_empty() {
            in_usage = false;
            continue;
        }
        let title = lower.trim_end_matches(':');
        if SECTIONS.contains(&title)
            || (indent == 0 && trimmed.ends_with(':'))
            || (indent == 0 && trimmed.chars().all(|c| c.is_ascii_uppercase() || c == ' '))
        {
            in_usage = false;
            close(&mut open, &mut positionals, &mut options);
            section = title.to_string();
            continue;
        }
        if in_usage {
            continue;
        }
        // Typer marks what is required with a star.
        let (starred, said) = trimmed.strip_prefix("* ").map_or((false, trimmed), |rest| (true, rest.trim_start()));
        let begins = said.starts_with('-') && said[1..].starts_with(|c: char| c.is_alphabetic() || matches!(c, '-' | '['));
        let deeper = open.as_ref().is_some_and(|(_, _, outer, _)| indent > *outer + 6);
        if begins && !deeper {
            close(&mut open, &mut positionals, &mut options);
            let (mut entry, help) = option(said);
            entry.required |= starred;
            open = Some((entry, help, indent, false));
        } else if let Some((_, help, outer, _)) = open.as_mut().filter(|(_, _, outer, _)| indent > *outer) {
            // Text that goes on, or a column that begins below.
            let _ = outer;
            help.push(' ');
            help.push_str(trimmed);
        } else if matches!(section.as_str(), "positional arguments" | "arguments" | "positional_arguments") && indent > 0 {
            close(&mut open, &mut positionals, &mut options);
            let cells = cells(said);
            let name = cells.first().copied().unwrap_or("").split_whitespace().next().unwrap_or("").to_string();
            let mut help = cells[1..].join(" ");
            let mut entry = Entry::positional(&name);
            if let Some(kind) = cells.get(1).filter(|cell| is_type(cell)) {
                help = help[kind.len()..].trim_start().to_string();
            }
            entry.takes(&name);
            open = Some((entry, help, indent, true));
        } else {
            close(&mut open, &mut positionals, &mut options);
        }
    }
    close(&mut open, &mut positionals, &mut options);
    (positionals, options)
}

/// What stands apart by two blanks or more.
fn cells(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

fn is_type(cell: &str) -> bool {
    TYPES.split(' ').any(|known| cell == known || cell.starts_with(&format!("{known} RANGE")))
        || (cell.starts_with('[') && cell.ends_with(']') && cell.contains('|'))
}

/// A line that begins an option, and the help on it.
fn option(line: &str) -> (Entry, String) {
    // absl: `--name: what it is`, `--[no]name: …`
    let (head, tail) = line.split_once(' ').unwrap_or((line, ""));
    if let Some(names) = head.strip_suffix(':').filter(|names| names.starts_with('-')) {
        let mut entry = Entry::default();
        names.split(',').for_each(|name| entry.called(name));
        if !entry.negated {
            entry.metavars.push("VALUE".to_string());
        }
        return (entry, tail.to_string());
    }
    let cells = cells(line);
    let mut entry = Entry::default();
    let mut taken = 0;
    for (at, cell) in cells.iter().enumerate() {
        let goes_on = at == 0 || cell.starts_with('-') && cell[1..].starts_with(|c: char| c.is_alphabetic() || c == '-') || is_type(cell);
        if !goes_on {
            break;
        }
        if is_type(cell) {
            entry.takes(cell);
        } else {
            entry.invoked(cell);
        }
        taken = at + 1;
    }
    (entry, cells[taken..].join(" "))
}

impl Entry {
    /// `-b N, --batch-size N`, `--amp / --no-amp`, `--opt {a,b}`, `--xs X [X ...]`, `--lr=LR`
    fn invoked(&mut self, text: &str) {
        let mut depth = 0_usize;
        let mut parts = vec![String::new()];
        for c in text.chars() {
            match c {
                '{' | '[' | '(' | '<' => depth += 1,
                '}' | ']' | ')' | '>' => depth = depth.saturating_sub(1),
                _ => {}
            }
            match parts.last_mut() {
                Some(_) if depth == 0 && matches!(c, ',' | '/') => parts.push(String::new()),
                Some(part) => part.push(c),
                None => {}
            }
        }
        for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
            if !part.starts_with('-') {
                // A value with a comma or a slash in its name.
                continue;
            }
            let (name, values) = part.split_once([' ', '=']).unwrap_or((part, ""));
            // `--print_config[=flags]`
            let name = if name.starts_with("--[") { name } else { name.split('[').next().unwrap_or(name) };
            self.called(name);
            if !values.trim().is_empty() && self.metavars.is_empty() {
                self.takes(values.trim());
            }
        }
    }

    fn called(&mut self, name: &str) {
        let (name, both) = name.strip_prefix("--[no]").map_or((name.to_string(), false), |name| (format!("--{name}"), true));
        self.negated |= both;
        if let Some(long) = name.strip_prefix("--") {
            let is_off = long
                .strip_prefix("no-")
                .or(long.strip_prefix("no_"))
                .or(long.strip_prefix("no"))
                .is_some_and(|rest| rest == self.name && self.long);
            self.negated |= is_off;
            if !self.long {
                (self.name, self.long) = (long.to_string(), true);
            }
        } else if self.name.is_empty() {
            self.name = name.trim_start_matches('-').to_string();
        }
    }

    /// The names of its values, or the choices.
    fn takes(&mut self, text: &str) {
        if let Some(choices) = text.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            self.choices = choices.0.split(',').map(|choice| choice.trim().to_string()).filter(|choice| !choice.is_empty()).collect();
            self.metavars.push(if choices.1.contains("...") { "...".to_string() } else { String::new() });
            return;
        }
        let inner = text.strip_prefix(['[', '<']).and_then(|rest| rest.strip_suffix([']', '>']));
        if let Some(inner) = inner.filter(|inner| inner.contains('|')) {
            self.choices = inner.split('|').map(|choice| choice.trim().to_string()).collect();
        }
        match inner {
            _ if is_type(text) => self.metavars.push(text.to_string()),
            Some(_) if !text.contains("...") => self.metavars.push(text.to_string()),
            _ => self.metavars.extend(text.split_whitespace().map(str::to_string)),
        }
    }

    fn explained(&mut self, help: &str) {
        let lower = help.to_ascii_lowercase();
        self.required |= lower.contains("[required]") || lower.contains("(required)") || lower.contains("required;");
        let marks = ["default: ", "default:", "default=", "(default ", "defaults to "];
        let at = marks.iter().find_map(|mark| lower.find(mark).map(|at| (at, at + mark.len())));
        self.default = at.and_then(|(_, end)| default_in(help, end));
        let until = at.map_or(help.len(), |(at, _)| at);
        let before = help.get(..until).unwrap_or(help);
        // The bracket that the default stands in.
        let cut = open_bracket(before).filter(|_| at.is_some()).unwrap_or(before.len());
        let before = before[..cut].replace("[required]", "").replace("(required)", "");
        self.help = before.split_whitespace().collect::<Vec<_>>().join(" ");
    }
}

/// Where the bracket is that nothing closes.
fn open_bracket(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => open.push(at),
            ')' | ']' => drop(open.pop()),
            _ => {}
        }
    }
    open.last().copied()
}

/// The value that begins at this byte: up to the bracket that closes what is around it, or the end of the word.
fn default_in(help: &str, at: usize) -> Option<String> {
    let rest = help.get(at..)?.trim_start();
    let bracketed = open_bracket(&help[..at]).is_some();
    let mut depth = 0_usize;
    let mut end = rest.len();
    let mut quote = None;
    for (at, c) in rest.char_indices() {
        match (c, quote) {
            ('\'' | '"', None) if at == 0 => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('(' | '[' | '{' | '<', None) => depth += 1,
            (')' | ']', None) if depth == 0 => {
                end = at;
                break;
            }
            (')' | ']' | '}' | '>', None) => depth = depth.saturating_sub(1),
            (';', None) if depth == 0 => {
                end = at;
                break;
            }
            (c, None) if depth == 0 && !bracketed && (c.is_whitespace() || c == ',') => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let value = rest[..end].trim();
    let value = if bracketed { value } else { value.trim_end_matches('.') };
    let unquoted =
        value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).or_else(|| value.strip_prefix('"')?.strip_suffix('"'));
    let value = unquoted.unwrap_or(value).trim();
    let nothing = value.is_empty() || ["None", "null", "NULL", "==SUPPRESS==", "unset", "none"].contains(&value) || value.starts_with('<');
    (!nothing).then(|| value.to_string())
}
