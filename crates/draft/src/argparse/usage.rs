//! The usage line of a help: what the program is called, which options it cannot do without, which arguments it takes.

/// As the line says it.
#[derive(Debug, Default)]
pub(super) struct Usage {
    pub(super) program: Vec<String>,
    /// Options that stand in no brackets.
    pub(super) required: Vec<String>,
    /// Arguments without a dash that stand in no brackets.
    pub(super) positionals: Vec<String>,
    /// Those in brackets.
    optional: Vec<String>,
    pub(super) subcommands: bool,
}

impl Usage {
    pub(super) fn of(text: &str) -> Usage {
        let mut lines = text.lines().skip_while(|line| !line.trim_start().to_ascii_lowercase().starts_with("usage:"));
        let Some(first) = lines.next() else { return Usage { program: vec!["python".into(), "train.py".into()], ..Usage::default() } };
        let mut whole = first.trim_start().get(6..).unwrap_or("").to_string();
        for line in lines.take_while(|line| line.starts_with(' ') && !line.trim().is_empty()) {
            whole.push(' ');
            whole.push_str(line.trim());
        }
        let mut usage = Usage::default();
        let mut depth = 0_usize;
        let mut in_program = true;
        // A required option is followed by its value.
        let mut value_of_option = false;
        for word in whole.split_whitespace() {
            let bare = word.trim_matches(['[', ']', '(', ')', '|', '.', '<', '>']);
            let argument =
                word.starts_with(['[', '-', '{', '<', '(']) || (bare.len() > 1 && bare.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
            // Options come before arguments, so what stands before them calls the program: `main.py fit [-h]`.
            if in_program && (!argument || word == "-m") && (usage.program.is_empty() || usage.program.len() < 5 && whole.contains('[')) {
                usage.program.push(word.to_string());
                continue;
            }
            if in_program && word == "[options]" {
                continue;
            }
            in_program = false;
            let opened = depth;
            depth = (depth + word.matches(['[', '(']).count()).saturating_sub(word.matches([']', ')']).count());
            let is_inside = opened > 0 || word.starts_with('[');
            if word.starts_with('{') && (word.ends_with("...") || whole.contains("} ...")) {
                usage.subcommands = true;
            }
            usage.subcommands |= word == "COMMAND";
            if is_inside {
                usage.optional.push(bare.to_string());
            } else if bare.starts_with("--") {
                usage.required.push(bare.split('=').next().unwrap_or(bare).to_string());
                value_of_option = true;
            } else if bare.starts_with('-') {
                value_of_option = true;
            } else if std::mem::take(&mut value_of_option)
                || bare.is_empty()
                || bare.starts_with('{')
                || matches!(bare, "COMMAND" | "flags" | "FLAGS" | "OPTIONS")
            {
                continue;
            } else {
                usage.positionals.push(bare.to_string());
            }
        }
        if usage.program.first().is_some_and(|first| first.ends_with(".py")) {
            usage.program.insert(0, "python".to_string());
        }
        if usage.program.is_empty() {
            usage.program = vec!["python".into(), "train.py".into()];
        }
        usage
    }

    pub(super) fn is_optional(&self, name: &str) -> bool {
        self.optional.iter().any(|known| known.eq_ignore_ascii_case(name))
            && !self.positionals.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}
