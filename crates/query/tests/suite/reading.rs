//! What is read as what: every way to write a thing gives the same tree, and a tree that is printed reads back.

use neronet_query::{Expr, Filter};

fn tree(text: &str) -> Expr {
    Filter::parse(text).unwrap_or_else(|mistake| panic!("{text}\n{mistake}")).tree().clone()
}

#[test]
fn what_is_written_in_several_ways_is_one() {
    for (text, plain) in [
        ("a=1 and not b < 'x y' or (@t and c ~ d)", "a == 1 and not b < \"x y\" or @t and c ~ d"),
        ("(a = 1)&(b > 2)|c<3", "a == 1 and b > 2 or c < 3"),
        ("a=1&&b=2||c=3", "a == 1 and b == 2 or c == 3"),
        ("a = 1 AND NOT b = 2 Or c = 3", "a == 1 and not b == 2 or c == 3"),
        ("!(a <> 1) and !b≠2", "not a != 1 and not b != 2"),
        ("a ≤ 1 and b ≥ 2", "a <= 1 and b >= 2"),
        ("lr in [0.1,0.01,]", "lr in [0.1, 0.01]"),
        ("act IN ('relu', 'x, y') and act not in {a, b}", "act in [\"relu\", \"x, y\"] and not act in [a, b]"),
        ("tag:best and tags:\"two words\" and state:failed", "@best and @\"two words\" and state == failed"),
        ("'best' in tags", "@\"best\""),
        ("lr is missing or lr is not null or lr is None", "not lr exists or lr exists or not lr exists"),
        ("lr exists and lr not exists and exists(lr)", "lr exists and not lr exists and lr exists"),
        ("state is failed and state is not 'none'", "state == failed and state != \"none\""),
        ("act contains re and act not contains lu and act !~ x", "act ~ re and not act ~ lu and not act ~ x"),
        ("0.1 <= lr < 1 and 0.9 < acc", "(lr >= 0.1 and lr < 1) and acc > 0.9"),
        ("2026-11-01 <= created < 2026-11-20", "created >= 2026-11-01 and created < 2026-11-20"),
        ("1 > lr >= 1e-3", "lr < 1 and lr >= 1e-3"),
        ("0.5 == 0.5", "0.5 == 0.5"),
        ("started > 2 days ago and duration < 1h 30min or x == 5", "started > 2 days ago and duration < 1h 30min or x == 5"),
        ("metrics.\"val loss\".max > 1", "\"metrics.val loss.max\" > 1"),
        ("metrics.`val loss` > 1", "\"metrics.val loss\" > 1"),
        ("params[\"lr\"] = 1 and metrics['a b'].max > 1", "\"params.lr\" == 1 and \"metrics.a b.max\" > 1"),
        ("x == 'it''s' or x == \"say \"\"hi\"\"\"", "x == \"it's\" or x == 'say \"hi\"'"),
        ("not not a == b", "not not a == b"),
        ("train/loss.min < 1 and a-b = [1,2]", "train/loss.min < 1 and a-b == [1,2]"),
    ] {
        assert_eq!(tree(text).to_string(), plain, "{text}");
        assert_eq!(tree(plain), tree(text), "{text}");
    }
}

/// Whatever was a filter before there were lists, tests in words and chains is the same filter still.
#[test]
fn words_that_mean_something_now_are_names_and_values_still() {
    for (text, plain) in [
        ("not == 1", "not == 1"),
        ("and == 1", "and == 1"),
        ("in = in", "in == in"),
        ("is=not and exists = contains", "is == not and exists == contains"),
        ("act == none", "act == none"),
        ("note == it's", "note == it's"),
        ("project = R&D and a = b|c", "project == R&D and a == b|c"),
        ("a:b = c:d", "a:b == c:d"),
        ("params[0] = [0.9,0.99]", "params[0] == [0.9,0.99]"),
        ("'not' = 'or'", "\"not\" == \"or\""),
        ("@ t", "@t"),
        ("a~'@x'", "a ~ \"@x\""),
        ("x = 'a\\b'", "x == \"a\\b\""),
        ("x == `y`", "x == `y`"),
    ] {
        assert_eq!(tree(text).to_string(), plain, "{text}");
        assert_eq!(tree(plain), tree(text), "{text}");
    }
}

#[test]
fn it_tells_which_names_it_asks_for() {
    let filter = Filter::parse("a = 1 and (b in [1] or not c exists) and 1 < d < 2").unwrap();
    assert_eq!(filter.names(), ["a", "b", "c", "d", "d"]);
    assert_eq!(Filter::parse("tag:x or a=1").unwrap().names(), ["a", "@"]);
}
