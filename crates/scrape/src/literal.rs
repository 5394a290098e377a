//! Values as JSON and as Python print them: one small parser for both, since scripts mix the two (`NaN`, `None`, `'a'`).

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Literal {
    Number(f64),
    Text(String),
    Bool(bool),
    Null,
    List(Vec<Literal>),
    Map(Vec<(String, Literal)>),
    /// A Python expression that is none of these, as written.
    Other(String),
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Dialect {
    /// JSON, with the bare words for non-finite numbers that many writers leave in it.
    Json,
    /// What Python's `print` makes of dictionaries, arrays and tensors of one number included.
    Python,
}

/// Deeper nesting is no result of a training, and would cost stack.
const DEPTH: usize = 64;

/// Reads the whole of `text` as one value. The error says what is wrong and at which byte.
pub(crate) fn parse(text: &str, dialect: Dialect) -> Result<Literal, String> {
    let mut parser = Parser { text, at: 0, dialect };
    let value = parser.value(0)?;
    parser.space();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.wrong("something follows the value")),
    }
}

impl Literal {
    /// The text of a value that is kept as a tag or as configuration.
    pub(crate) fn text(&self) -> String {
        match self {
            Literal::Number(value) => value.to_string(),
            Literal::Text(text) | Literal::Other(text) => text.clone(),
            Literal::Bool(value) => value.to_string(),
            Literal::Null => "null".into(),
            Literal::List(items) => {
                let items: Vec<String> = items.iter().map(Literal::text).collect();
                format!("[{}]", items.join(", "))
            }
            Literal::Map(entries) => {
                let entries: Vec<String> = entries.iter().map(|(name, value)| format!("{name}: {}", value.text())).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, what: &str) -> String {
        format!("{what} at byte {}", self.at + 1)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Literal, String> {
        if depth > DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        self.space();
        match self.peek() {
            None => Err(self.wrong("a value is missing")),
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(b']', depth),
            Some(b'(') if self.dialect == Dialect::Python => self.list(b')', depth),
            Some(quote @ (b'"' | b'\'')) if quote == b'"' || self.dialect == Dialect::Python => self.string(quote).map(Literal::Text),
            Some(_) => self.word(depth),
        }
    }

    fn map(&mut self, depth: usize) -> Result<Literal, String> {
        self.at += 1;
        let mut entries = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some(b'}') if entries.is_empty() || self.dialect == Dialect::Python => {
                    self.at += 1;
                    return Ok(Literal::Map(entries));
                }
                Some(quote @ (b'"' | b'\'')) if quote == b'"' || self.dialect == Dialect::Python => {
                    let name = self.string(quote)?;
                    self.space();
                    self.expect(b':', "':' is missing")?;
                    entries.push((name, self.value(depth + 1)?));
                }
                Some(_) if self.dialect == Dialect::Python => {
                    let name = self.value(depth + 1)?.text();
                    self.space();
                    self.expect(b':', "':' is missing")?;
                    entries.push((name, self.value(depth + 1)?));
                }
                _ => return Err(self.wrong("a name in quotes is missing")),
            }
            if self.ends(b'}')? {
                return Ok(Literal::Map(entries));
            }
        }
    }

    fn list(&mut self, close: u8, depth: usize) -> Result<Literal, String> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            if self.peek() == Some(close) && (items.is_empty() || self.dialect == Dialect::Python) {
                self.at += 1;
                return Ok(Literal::List(items));
            }
            items.push(self.value(depth + 1)?);
            if self.ends(close)? {
                return Ok(Literal::List(items));
            }
        }
    }

    /// After an element: whether its collection is closed; else a comma must stand here.
    fn ends(&mut self, close: u8) -> Result<bool, String> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.wrong(&format!("',' or '{}' is missing", char::from(close)))),
        }
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<(), String> {
        if self.peek() != Some(byte) {
            return Err(self.wrong(what));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self, quote: u8) -> Result<String, String> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.peek() {
                None => return Err(self.wrong("a closing quote is missing")),
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(byte) => {
                    self.at += 1;
                    if byte == quote {
                        break;
                    }
                }
            }
        }
        let Some(inner) = self.text.get(start + 1..self.at - 1) else {
            return Err(self.wrong("a closing quote is missing"));
        };
        if !escaped {
            return Ok(inner.to_string());
        }
        // JSON's escapes are serde's business; Python's differ little and only stand in tags.
        match serde_json::from_str(&self.text[start..self.at]) {
            Ok(text) => Ok(text),
            Err(error) if self.dialect == Dialect::Json => Err(format!("{error}, in the text at byte {}", start + 1)),
            Err(_) => Ok(inner.replace("\\'", "'")),
        }
    }

    /// A number, a word, or a Python call such as `tensor(0.31, device='cuda:0')`.
    fn word(&mut self, depth: usize) -> Result<Literal, String> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_') {
                self.at += 1;
            } else {
                break;
            }
        }
        let word = &self.text[start..self.at];
        if self.dialect == Dialect::Python && self.peek() == Some(b'(') && !word.is_empty() {
            return self.call(word.to_string(), start, depth);
        }
        match word {
            "true" | "True" => return Ok(Literal::Bool(true)),
            "false" | "False" => return Ok(Literal::Bool(false)),
            "null" | "None" => return Ok(Literal::Null),
            _ => {}
        }
        if let Some(value) = neronet_model::number::parse_word(word) {
            return Ok(Literal::Number(value));
        }
        let number = word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        match number.then(|| word.parse().ok()).flatten() {
            Some(value) => Ok(Literal::Number(value)),
            None if self.dialect == Dialect::Python && !word.is_empty() => Ok(Literal::Other(word.to_string())),
            None => {
                self.at = start;
                Err(self.wrong("no value"))
            }
        }
    }

    fn call(&mut self, name: String, start: usize, depth: usize) -> Result<Literal, String> {
        self.at += 1;
        self.space();
        let first = if self.peek() == Some(b')') { Literal::Null } else { self.value(depth + 1)? };
        // The other arguments say on which device it is and the like.
        let mut open = 1;
        while open > 0 {
            match self.peek() {
                None => return Err(self.wrong("')' is missing")),
                Some(b'(') => open += 1,
                Some(b')') => open -= 1,
                Some(quote @ (b'"' | b'\'')) => {
                    self.string(quote)?;
                    continue;
                }
                Some(_) => {}
            }
            self.at += 1;
        }
        match first {
            Literal::Number(value) if holds_number(&name) => Ok(Literal::Number(value)),
            _ => Ok(Literal::Other(self.text.get(start..self.at).unwrap_or_default().to_string())),
        }
    }
}

/// Whether a Python call of this name prints one number, e.g. `tensor(0.31)` or `np.float64(0.31)`.
pub(crate) fn holds_number(call: &str) -> bool {
    let last = call.rsplit('.').next().unwrap_or(call);
    matches!(last, "tensor" | "array" | "Array" | "DeviceArray" | "EagerTensor" | "Decimal")
        || last.starts_with("float")
        || last.starts_with("int")
}
