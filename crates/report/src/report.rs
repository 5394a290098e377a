//! A report: headed sections of text, facts, tables, charts and code, as one HTML file.

use crate::text::escape;
use crate::{Chart, Table, figure, page};

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    pub title: String,
    pub subtitle: String,
    pub sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    pub heading: String,
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Paragraphs, parted by blank lines.
    Text(String),
    /// Names and values.
    Facts(Vec<(String, String)>),
    Table(Table),
    Chart(Chart),
    /// Shown as it is, in a fixed-width font.
    Code {
        title: String,
        text: String,
    },
}

impl Report {
    /// One file that needs no other: no scripts, fonts or pictures from elsewhere.
    pub fn html(&self) -> String {
        let body: String = self.sections.iter().map(Section::html).collect();
        page::page(&self.title, &self.subtitle, &body)
    }
}

impl Section {
    fn html(&self) -> String {
        let heading = heading(2, &self.heading);
        let parts: String = self.parts.iter().map(Part::html).collect();
        format!("<section>\n{heading}{parts}</section>\n")
    }
}

impl Part {
    fn html(&self) -> String {
        match self {
            Part::Text(text) => paragraphs(text),
            Part::Facts(facts) => {
                let facts: String =
                    facts.iter().map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value))).collect();
                format!("<dl>\n{facts}</dl>\n")
            }
            Part::Table(table) => table.html(),
            Part::Chart(chart) => format!("{}{}", heading(3, &chart.title), figure::html(chart)),
            Part::Code { title, text } => format!("{}<pre><code>{}</code></pre>\n", heading(3, title), escape(text)),
        }
    }
}

fn heading(level: u8, text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        text => format!("<h{level}>{}</h{level}>\n", escape(text)),
    }
}

fn paragraphs(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let paragraphs = text.split("\n\n").map(str::trim).filter(|p| !p.is_empty());
    paragraphs.map(|p| format!("<p>{}</p>\n", escape(p))).collect()
}
