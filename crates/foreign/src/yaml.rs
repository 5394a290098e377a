//! A YAML file that is one table of scalars. Nothing is built of what is nested in it, and aliases are not carried out, so that no
//! text can stand for more than it is.

use saphyr_parser::{Event, Parser};

/// The keys with their scalars, as text; or the line of a mistake, and what it is.
pub(crate) fn flat(text: &str) -> Result<Vec<(String, String)>, (u64, String)> {
    let mut pairs = Vec::new();
    let mut depth = 0_usize;
    let mut key: Option<String> = None;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| (error.marker().line() as u64, format!("this is no YAML: {}", error.info())))?;
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => {
                depth = depth.saturating_sub(1);
                if depth == 1 {
                    key = None;
                }
            }
            Event::Scalar(scalar, ..) if depth == 1 => match key.take() {
                None => key = Some(scalar.into_owned()),
                Some(key) => pairs.push((key, scalar.into_owned())),
            },
            Event::Alias(_) if depth == 1 => key = None,
            Event::DocumentEnd => break,
            _ => {}
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::flat;
    use proptest::prelude::*;

    #[test]
    fn scalars_of_one_table() {
        let text = "run_id: abc\nname: 'a: b'\ntags: []\nnested: {a: {b: c}}\nlong: one\n  two\nnull_one: null\nwhen: 12\n";
        let expected = [("run_id", "abc"), ("name", "a: b"), ("long", "one two"), ("null_one", "null"), ("when", "12")];
        assert_eq!(flat(text), Ok(expected.map(|(key, value)| (key.to_string(), value.to_string())).to_vec()));
        assert_eq!(flat(""), Ok(Vec::new()));
        assert_eq!(flat("a: 1\nb: @x").map_err(|(line, _)| line), Err(2));
    }

    #[test]
    fn a_bomb_stays_as_small_as_its_text() {
        let mut bomb = "a0: &a0 [x, x]\n".to_string();
        for i in 1..40 {
            bomb += &format!("a{i}: &a{i} [*a{}, *a{}]\n", i - 1, i - 1);
        }
        assert_eq!(flat(&bomb), Ok(Vec::new()));
        assert!(flat(&"[".repeat(100_000)).is_err());
        assert!(flat(&"{a: ".repeat(20_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_ends(text in "[a-c:\\-\\[\\]{}&*!|>'\"#%@ \n\t,?]{0,80}") {
            flat(&text).ok();
        }
    }
}
