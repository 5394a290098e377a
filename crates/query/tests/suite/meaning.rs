//! Which runs a filter holds for.

use crate::naive::holds;
use crate::runs::{Cell, Run, five, rows_of, word};
use neronet_model::Value;
use neronet_query::{Expr, Operator, Test, Word};
use proptest::prelude::*;

#[test]
fn filters_hold_as_people_read_them() {
    let runs = five();
    for (filter, expected) in [
        ("state == \"ended\" and val_acc.max > 0.9 and lr in [0.1, 0.01] and tag:best and started > \"2 days ago\"", &[0][..]),
        ("state == ended", &[0, 1, 2]),
        ("state == finished", &[0, 1]),
        ("state != ended", &[3, 4]),
        ("state ~ e", &[0, 1, 2, 4]),
        ("state in [failed, queued]", &[2, 4]),
        ("lr == .1 or lr == 1e-2", &[0, 1]),
        ("lr in [1e-1, 0.010]", &[0, 1]),
        ("lr not in [1e-1, 0.010]", &[2, 3, 4]),
        ("lr > 0.05", &[0, 2, 3]),
        ("0.05 < lr <= 0.5", &[0, 2]),
        ("lr == auto", &[3]),
        ("lr ~ a", &[3]),
        ("lr !~ a", &[0, 1, 2, 4]),
        ("act == none", &[1]),
        ("act is none", &[2, 3, 4]),
        ("act is missing", &[2, 3, 4]),
        ("amp == true", &[0]),
        ("amp = False", &[1]),
        ("amp in [true, 1]", &[0]),
        ("loss == none", &[2, 4]),
        ("loss == nan", &[1]),
        ("loss != nan", &[0, 2, 3, 4]),
        ("loss in [nan, 0.2]", &[0, 1]),
        ("loss > 100", &[3]),
        ("loss == inf", &[3]),
        ("loss < 1 or not loss < 1", &[0, 1, 2, 3, 4]),
        ("loss ~ 0.2", &[0]),
        ("duration > 10min", &[1]),
        ("duration == 2h or duration < 1h", &[0, 1]),
        ("@best or @\"it's \"\"odd\"\"\"", &[0, 2]),
        ("tags == keep", &[0, 3]),
        ("tags != keep", &[1, 2, 4]),
        ("tags ~ ee", &[0, 3]),
        ("tags exists", &[0, 2, 3]),
        ("tags is missing", &[1, 4]),
        ("'a b' == 'x y'", &[4]),
        ("lr in []", &[]),
        ("not (@best or @keep) and not lr == 0.5", &[1, 4]),
    ] {
        assert_eq!(rows_of(&runs, filter).map_err(|mistake| mistake.to_string()), Ok(expected.to_vec()), "{filter}");
    }
}

#[test]
fn a_table_may_be_empty_or_larger_than_a_word() {
    assert_eq!(rows_of(&[Run::from([("n", Cell::Number(0.0))])], "n > 1").unwrap(), [0usize; 0]);
    let runs: Vec<Run> = (0..130).map(|n| Run::from([("n", Cell::Number(f64::from(n)))])).collect();
    assert_eq!(rows_of(&runs, "n >= 63 and n < 66").unwrap(), [63, 64, 65]);
    assert_eq!(rows_of(&runs, "not n < 127").unwrap(), [127, 128, 129]);
}

const NAMES: [&str; 4] = ["p", "q", "tags", "m"];
const WORDS: [&str; 17] =
    ["0.1", "1e-1", "0", "-0", "3", "true", "True", "false", "yes", "nan", "inf", "none", "relu", "resnet", "", "0x10", "1_000"];

fn cell(name: &'static str) -> BoxedStrategy<Cell> {
    let word = prop::sample::select(&WORDS[..]);
    match name {
        "tags" => prop::collection::vec(word.prop_map(|word| Value::Str(word.into())), 0..3).prop_map(Cell::Set).boxed(),
        "m" => prop::sample::select(vec![0.1, 0.0, -0.0, 3.0, f64::NAN, f64::INFINITY, 16.0, -1e300]).prop_map(Cell::Number).boxed(),
        _ => prop_oneof![
            word.clone().prop_map(self::word),
            word.clone().prop_map(|text| Cell::Value(Value::as_typed(text))),
            word.prop_map(|text| Cell::Value(Value::List(vec![Value::as_word(text)]))),
        ]
        .boxed(),
    }
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let column = |name: &'static str| prop::collection::vec(prop::option::weighted(0.8, cell(name)), 70);
    let columns = NAMES.map(column);
    (columns, 1usize..70).prop_map(|(columns, count)| {
        let run = |row: usize| NAMES.into_iter().zip(&columns).filter_map(|(name, cells)| Some((name, cells[row].clone()?))).collect();
        let mut runs: Vec<Run> = (0..count).map(run).collect();
        // A column of which nobody has anything is not known.
        let full = [("p", word("relu")), ("q", word("3")), ("tags", Cell::Set(vec![])), ("m", Cell::Number(0.1))];
        runs.push(full.into_iter().collect());
        runs
    })
}

fn quoted(text: &str) -> Word {
    Word { text: text.into(), bare: false, at: 0 }
}

fn test() -> impl Strategy<Value = Expr> {
    let operator = prop::sample::select(vec![
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::AtMost,
        Operator::Greater,
        Operator::AtLeast,
        Operator::Contains,
    ]);
    let number = prop::sample::select(vec!["0.1", "1e-1", "0", "-0", "3", "16", "1_000"]);
    let value = move |name: &'static str| {
        let number = number.clone();
        if name == "m" { number.boxed() } else { prop::sample::select(&WORDS[..]).boxed() }
    };
    prop::sample::select(&NAMES[..]).prop_flat_map(move |name| {
        let test = prop_oneof![
            4 => (operator.clone(), value(name)).prop_map(|(operator, value)| Test::Compare(operator, quoted(value))),
            2 => prop::collection::vec(value(name), 0..4).prop_map(|values| Test::In(values.into_iter().map(quoted).collect())),
            1 => Just(Test::Exists),
        ];
        let tag = prop::sample::select(&WORDS[..]).prop_map(|tag| Expr::Tag(quoted(tag)));
        prop_oneof![6 => test.prop_map(move |test| Expr::Test(quoted(name), test)), 1 => tag]
    })
}

pub(crate) fn trees() -> impl Strategy<Value = Expr> {
    test().prop_recursive(4, 24, 4, |inner| {
        let several = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![several.clone().prop_map(Expr::All), several.prop_map(Expr::Any), inner.prop_map(|inner| Expr::Not(Box::new(inner))),]
    })
}

proptest! {
    /// The columns answer what each row for itself answers, by the comparisons that there were before; printed and read again too.
    #[test]
    fn the_rows_found_are_those_that_hold_one_by_one(runs in runs(), tree in trees()) {
        let naive: Vec<usize> = (0..runs.len()).filter(|row| holds(&tree, &runs[*row])).collect();
        prop_assert_eq!(rows_of(&runs, &tree.to_string()).map_err(|mistake| mistake.to_string()), Ok(naive), "{}", tree);
    }
}
