//! docs/recipes.md, carried out: each recipe's files in a fresh project, its commands typed as they stand there, and what its
//! text claims looked for in the record. A recipe without a check fails.

mod checks;
mod page;
mod reader;
#[path = "../behaviour/world.rs"]
#[expect(dead_code, reason = "the recipes need only a part of it")]
mod world;

use reader::Reader;
use std::io::Write;

/// A test for each recipe, and the list of them.
macro_rules! recipes {
    ($($check:ident: $title:literal needs [$($need:literal),*];)*) => {
        const CHECKED: &[&str] = &[$($title),*];
        $(#[test]
        fn $check() {
            carry_out($title, &[$($need),*], checks::$check);
        })*
    };
}

recipes! {
    pytorch: "PyTorch with argparse" needs ["torch"];
    hydra: "Hydra" needs ["torch", "hydra"];
    lightning: "Lightning" needs ["torch", "lightning"];
    finetuning: "Pretrain, finetune, evaluate" needs ["torch"];
    simulation: "A C++ simulation with an input file" needs ["c++"];
    torchrun: "torchrun on several GPUs" needs ["torch"];
    slots: "A 70-hour training in 24-hour slots" needs ["torch"];
    modules: "conda and modules" needs [];
    shared_data: "A shared data folder" needs [];
    spreadsheet: "A spreadsheet" needs [];
}

#[test]
fn every_recipe_of_the_page_is_checked_and_listed_on_it() {
    let titles: Vec<String> = page::recipes().into_iter().map(|recipe| recipe.title).collect();
    assert_eq!(titles, CHECKED, "the sections of docs/recipes.md, and the recipes that have a check");
    let text = std::fs::read_to_string(page::repository().join("docs/recipes.md")).expect("the page is there");
    for title in titles {
        assert!(text.contains(&format!("- [{title}](#")), "the list at the top has '{title}'");
    }
}

fn carry_out(title: &str, needs: &[&'static str], check: fn(&mut Reader)) {
    let missing = reader::missing(needs);
    if !missing.is_empty() {
        let said = format!("NOT TESTED: {title}: {} missing (scripts/setup.sh recipes gets what is Python's)", missing.join(" and "));
        assert!(std::env::var("RECIPES").as_deref() != Ok("all"), "{said}");
        return tell(&said);
    }
    let recipe = page::recipes().into_iter().find(|recipe| recipe.title == title).expect("a section of this name");
    let mut reader = Reader::of(recipe);
    check(&mut reader);
    reader.has_typed_everything();
}

/// A line that is seen although the test passes, which `eprintln` is not.
fn tell(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error is open");
}
