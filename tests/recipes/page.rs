//! docs/recipes.md taken apart: of each section its files and what is typed, exactly as the reader sees them.

use std::path::PathBuf;

pub(crate) struct Recipe {
    pub(crate) title: String,
    /// A name that begins with `~/` is one in the researcher's home, every other one in the project.
    pub(crate) files: Vec<(String, String)>,
    /// What stands in each block of commands.
    pub(crate) typed: Vec<String>,
}

pub(crate) fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn recipes() -> Vec<Recipe> {
    let text = std::fs::read_to_string(repository().join("docs/recipes.md")).expect("the page is there");
    let mut recipes: Vec<Recipe> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            recipes.push(Recipe { title: title.to_string(), files: Vec::new(), typed: Vec::new() });
        } else if let Some(info) = line.strip_prefix("```") {
            let block: String = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
            let recipe = recipes.last_mut().expect("blocks stand in a recipe");
            match info.split_once(' ') {
                Some((_, name)) => recipe.files.push((name.to_string(), block)),
                None if info == "sh" => recipe.typed.push(block),
                None => panic!("{}: a block that is neither a file nor commands: ```{info}", recipe.title),
            }
        }
    }
    recipes
}
