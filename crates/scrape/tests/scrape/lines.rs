//! Single lines, data in files, and what a log teaches.

use neronet_scrape::learn::learn;
use neronet_scrape::{Found, Scraper, Table, json_document, json_rows, metrics_line};

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn read(line: &str) -> Found {
    let mut found = Found::default();
    Scraper::new(&[], &[]).unwrap().line(line, &mut found);
    found
}

fn values(found: &Found) -> Vec<(&str, f64)> {
    found.values.iter().map(|(name, value)| (name.as_str(), *value)).collect()
}

#[test]
fn a_counter_in_brackets_is_the_step_and_under_its_word_the_epoch() {
    let found = read("[3/50] Loss: 0.51234, Acc: 88.12");
    assert_eq!((found.step, found.steps, found.epoch), (Some(3), Some(50), None));
    assert_eq!(values(&found), [("Loss", 0.51234), ("Acc", 88.12)]);
    let found = read("Epoch [3/50] Loss: 0.5");
    assert_eq!((found.step, found.epoch, found.epochs), (None, Some(3.0), Some(50.0)));
}

#[test]
fn a_value_with_neither_step_nor_epoch_is_a_summary() {
    let found = read("accuracy: 0.93");
    assert_eq!((found.step, found.epoch), (None, None));
    assert_eq!(values(&found), [("accuracy", 0.93)]);
}

#[test]
fn colours_and_rewritten_lines_read_as_the_terminal_shows_them() {
    let plain = read("epoch 3 loss: 0.25");
    assert_eq!(values(&plain), [("loss", 0.25)]);
    for line in [
        "\u{1b}[32mepoch 3\u{1b}[0m \u{1b}[1;31mloss: \u{1b}[38;5;12m0.25\u{1b}[0m",
        "\u{1b}]0;title 12\u{7}epoch 3 loss: 0.25",
        "epoch 2 loss: 0.75\repoch 3 loss: 0.25\r",
    ] {
        assert_eq!(read(line), plain, "{line:?}");
    }
    let long = format!("{}\repoch 3 loss: 0.25", "epoch 2 loss: 0.75 ".repeat(5000));
    assert_eq!(read(&long), plain);
    // An unfinished sequence takes nothing else with it.
    assert!(read("\u{1b}[").is_empty());
    assert!(read("\u{1b}").is_empty());
}

#[test]
fn a_pattern_reads_its_groups_and_nothing_else_of_its_lines() {
    let patterns = strings(&[r"iter (?P<step>\d+)/(?P<steps>\d+).*quality (?P<quality>\S+)"]);
    let mut scraper = Scraper::new(&patterns, &[]).unwrap();
    let mut found = Found::default();
    scraper.line("iter 3/9 loss=0.5 quality 1,234", &mut found);
    assert_eq!((found.step, found.steps, found.reader), (Some(3), Some(9), Some("pattern")));
    assert_eq!(values(&found), [("quality", 1234.0)]);
    scraper.line("step=4 loss=0.5", &mut found);
    assert_eq!((found.step, values(&found)), (Some(4), vec![("loss", 0.5)]));
}

#[test]
fn a_useless_pattern_is_refused_with_the_reason() {
    let wrong = Scraper::new(&strings(&["loss (?P<loss>"]), &[]).unwrap_err();
    assert!(wrong.starts_with("pattern 1 is no regular expression"), "{wrong}");
    let wrong = Scraper::new(&strings(&[r"(?P<a>\d)", r"loss (\d+)"]), &[]).unwrap_err();
    assert!(wrong.contains("pattern 2") && wrong.contains("no named group"), "{wrong}");
}

#[test]
fn a_name_that_comes_again_is_a_series_and_no_configuration() {
    let mut scraper = Scraper::default();
    let mut found = Found::default();
    let mut seen = Vec::new();
    for line in ["batch_size: 64", "wobble: 0.5", "wobble: 0.25"] {
        scraper.line(line, &mut found);
        seen.push((found.config.len(), found.values.len()));
    }
    assert_eq!(seen, [(1, 0), (1, 0), (0, 1)]);
}

#[test]
fn ignored_names_are_never_recorded() {
    let mut scraper = Scraper::new(&[], &strings(&["lr", "val_*", "*norm"])).unwrap();
    let mut found = Found::default();
    scraper.line("step=1 loss=0.5 lr=0.1 val_loss=0.6 val_acc=0.7 grad_norm=1.5 norm_x=2.5", &mut found);
    assert_eq!(values(&found), [("loss", 0.5), ("norm_x", 2.5)]);
}

#[test]
fn a_metrics_line_has_its_axes_values_and_tags() {
    let mut found = Found::default();
    let line = r#"{"step": 12, "epoch": 1.5, "time": 1700000000.25, "loss": NaN, "up": -Infinity, "train": {"acc": 0.93}, "batch": 7,
        "inf": "Infinity", "phase": "warm\u0041", "ok": true, "none": null, "betas": [0.9, 0.999]}"#;
    metrics_line(line, &mut found).unwrap();
    assert_eq!((found.step, found.epoch, found.time), (Some(12), Some(1.5), Some(1_700_000_000.25)));
    assert!(found.values[0].0 == "loss" && found.values[0].1.is_nan());
    assert_eq!(values(&found)[1..], [("up", f64::NEG_INFINITY), ("train/acc", 0.93), ("batch", 7.0), ("inf", f64::INFINITY)]);
    let tags: Vec<(&str, &str)> = found.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("phase", "warmA"), ("ok", "true"), ("betas", "[0.9, 0.999]")]);
}

#[test]
fn a_metrics_line_that_is_wrong_says_what_and_leaves_nothing() {
    for (line, what) in [
        ("", "a value is missing at byte 1"),
        ("12", "no JSON object"),
        ("{\"loss\": 0.3", "',' or '}' is missing"),
        ("{\"loss\" 0.3}", "':' is missing"),
        ("{'loss': 0.3}", "name in quotes"),
        ("{\"loss\": 0.3} x", "something follows"),
        ("{\"loss\": 0.3, \"step\": 1.5}", "whole number"),
        ("{\"step\": \"a\"}", "whole number"),
        ("{\"epoch\": NaN}", "finite"),
    ] {
        let mut found = Found::default();
        let wrong = metrics_line(line, &mut found).unwrap_err();
        assert!(wrong.contains(what), "{line}: {wrong}");
        assert!(found.is_empty(), "{line}");
    }
    let deep = "[".repeat(60_000);
    assert!(metrics_line(&deep, &mut Found::default()).unwrap_err().contains("nested too deeply"));
}

#[test]
fn a_table_reads_with_each_separator_and_quotes() {
    for separator in [",", ";", "\t"] {
        let mut table = Table::new();
        let mut found = Found::default();
        table.line(
            &["\u{feff}epoch", "step", "wall_time", "\"val, loss\"", "note"].join(separator).replace("val, loss", "val loss"),
            &mut found,
        );
        assert!(found.is_empty());
        table.line(&["1", "938", "1700000000.5", "0.25", "\"a \"\"b\"\"\""].join(separator), &mut found);
        assert_eq!((found.epoch, found.step, found.time), (Some(1.0), Some(938), Some(1_700_000_000.5)));
        assert_eq!(values(&found), [("val loss", 0.25)]);
        assert_eq!(found.tags, [("note".to_string(), "a \"b\"".to_string())]);
        table.line(&["2", "", "", "nan"].join(separator), &mut found);
        assert!(found.step.is_none() && found.values[0].1.is_nan());
    }
}

/// The rows of a file, `name=value` joined by blanks, with the epoch in front.
fn rows(file: &str) -> Vec<String> {
    let mut table = Table::new();
    let mut found = Found::default();
    let read = file.lines().map(|line| {
        table.line(line, &mut found);
        let epoch = found.epoch.iter().map(|epoch| format!("epoch {epoch}"));
        let values = found.values.iter().map(|(name, value)| format!("{name}={value}"));
        let tags = found.tags.iter().map(|(name, value)| format!("{name}='{value}'"));
        epoch.chain(values).chain(tags).collect::<Vec<_>>().join(" ")
    });
    read.filter(|row| !row.is_empty()).collect()
}

#[test]
fn a_table_finds_its_header_in_a_comment_or_does_without() {
    let expected = ["epoch 1 loss=0.5", "epoch 2 loss=0.4"];
    for file in [
        "# epoch,loss\n1,0.5\n2,0.4",
        "# run 12\n#epoch loss\n1.0e+00 5.0e-01\n2.0e+00 4.0e-01\n",
        "# epoch,loss\n1 0.5\n# epoch,loss\n2 0.4\n",
        "epoch   loss\n    1    0.5\n    2    0.4   \n",
        // A comment that names nothing of the kind, and one that a header follows.
        "# a,comment\nepoch,loss\n1,0.5\n2,0.4",
    ] {
        assert_eq!(rows(file), expected, "{file}");
    }
    assert_eq!(rows("# epoch,phase\n1,train\n"), ["epoch 1 phase='train'"]);
    for file in ["1,0.5\n2,nan\n", "1 0.5\n2 nan\n", "# by nobody at all\n1;0.5\n2;nan\n"] {
        assert_eq!(rows(file), ["column_1=1 column_2=0.5", "column_1=2 column_2=NaN"], "{file}");
    }
    // Blanks within the names of columns, and of the only one.
    assert_eq!(rows("epoch,val loss\n1,0.5\n"), ["epoch 1 val loss=0.5"]);
    assert_eq!(rows("val loss\n0.5\n0.4\n"), ["val loss=0.5", "val loss=0.4"]);
    assert_eq!(rows("epoch \"val loss\"\n1 0.5\n"), ["epoch 1 val loss=0.5"]);
}

#[test]
fn a_result_at_the_end_is_named_by_what_stands_before_its_axis() {
    let found = read("INFO:tensorflow:Loss for final step: 0.123.");
    assert_eq!((found.step, found.epoch, values(&found)), (None, None, vec![("Loss", 0.123)]));
    assert_eq!(values(&read("Validation accuracy at last epoch = 0.5")), [("Validation_accuracy", 0.5)]);
}

#[test]
fn a_logging_librarys_prefix_changes_nothing_of_its_message() {
    let messages =
        ["Epoch 3 loss 0.5", "Step 3/9: loss 0.5", "loss: 0.5, acc: 0.9", "train loss=0.5 lr=0.1", "{'loss': 0.5, 'epoch': 3}", "lr: 0.1"];
    for message in messages {
        for prefix in [
            "INFO ",
            "WARNING:root:",
            "12:00:01 INFO ",
            "2024-01-01 12:00:00,123 ERROR ",
            "2024-01-01 12:00:00,123 root CRITICAL ",
            "2024-01-01 12:00:00,123 1234 DEBUG: ",
            "2024-01-01 12:00:00,123 train.py:42 INFO ",
            "[2024-01-01 12:00:00,123][__main__][INFO] - ",
            "2024-01-01 12:00:00.123 | INFO     | __main__:main:42 - ",
            "I0101 12:00:00.000 123 train.py:42] ",
            "W20240101 12:00:00.000 123 train.py:42] ",
        ] {
            assert_eq!(read(&format!("{prefix}{message}")), read(message), "{prefix}{message}");
        }
    }
    // What stands before a level may be more than a prefix.
    assert_eq!(read("Epoch 3 - INFO - loss=0.5").epoch, Some(3.0));
    assert_eq!(read("[3/9] INFO loss=0.5").step, Some(3));
    assert_eq!(values(&read("acc: 0.5 | INFO loss=0.25")), [("acc", 0.5), ("loss", 0.25)]);
    assert_eq!(values(&read("TEST ERROR: 0.25")), [("TEST_ERROR", 0.25)]);
}

/// What each line of a log gives, `name=value` joined by blanks.
fn each(log: &str) -> Vec<String> {
    let mut scraper = Scraper::default();
    let mut found = Found::default();
    let read = log.lines().map(|line| {
        scraper.line(line, &mut found);
        found.values.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    });
    read.filter(|values| !values.is_empty()).collect()
}

#[test]
fn rows_of_other_tables_are_not_read_under_an_earlier_header() {
    let fastai = "epoch     train_loss  valid_loss  accuracy  time    \n1         0.51        0.41        0.89      00:12   \n";
    let first = "train_loss=0.51 valid_loss=0.41 accuracy=0.89";
    let headed = "   sepal_length  sepal_width  petal_length  petal_width\n2         5.1         3.5         1.4       0.2\n";
    for other in [
        // Not under its columns, and with an index that goes back.
        "2 5.1 3.5 1.4 0.2\n",
        "0         5.1         3.5         1.4       0.2\n2         5.1         3.5         1.4       0.2\n",
        headed,
    ] {
        assert_eq!(each(&format!("{fastai}{other}")), [first], "{other}");
    }
    // What a script says between rows does not end a table, and one blank between names and numbers is enough.
    let goes_on = "Saving the model\n2         0.31        0.29        0.91      00:11   \n";
    assert_eq!(each(&format!("{fastai}{goes_on}")), [first, "train_loss=0.31 valid_loss=0.29 accuracy=0.91"]);
    assert_eq!(each("epoch loss acc\n1 0.5 0.8\n2 0.4 0.9\n0 5.1 3.5\n3 5.1 3.5\n"), ["loss=0.5 acc=0.8", "loss=0.4 acc=0.9"]);
}

#[test]
fn a_json_file_is_a_summary_or_rows() {
    let mut found = Found::default();
    json_document("{\n  \"test\": {\"acc\": 0.93, \"per_class\": [1, 2]},\n  \"name\": \"a\"\n}\n", &mut found).unwrap();
    assert_eq!(values(&found), [("test/acc", 0.93)]);
    assert_eq!(found.tags.len(), 2);
    let state = r#"{"epoch": 1.0, "stateful_callbacks": {}, "log_history": [
        {"epoch": 0.5, "loss": 0.31, "step": 100}, {"epoch": 1.0, "eval_loss": 0.28, "step": 200}]}"#;
    let rows = json_rows(state).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[1].step, rows[1].epoch, values(&rows[1])), (Some(200), Some(1.0), vec![("eval_loss", 0.28)]));
    assert_eq!(json_rows("[]").unwrap(), []);
    assert!(json_rows("{\"a\": 1}").unwrap_err().contains("no list of objects"));
    assert!(json_rows("[{\"a\": 1}, 2]").unwrap_err().contains("row 2"));
}

#[test]
fn learning_names_series_and_proposes_patterns_that_read_the_rest() {
    let log = "epoch 1\nloss 0.5\nwobble measured as 3 units\nepoch 2\nloss 0.25\nwobble measured as 4 units\nwobble measured as 5 units\n";
    let learned = learn(log.as_bytes(), &[], &[]).unwrap();
    assert_eq!((learned.lines, learned.series.len()), (7, 1));
    let loss = &learned.series[0];
    assert_eq!((loss.name.as_str(), loss.points, loss.first, loss.last, loss.axis), ("loss", 2, 0.5, 0.25, "epoch"));
    assert_eq!((learned.unread.len(), learned.unread[0].lines), (1, 3));
    let pattern = learned.unread[0].pattern.clone().unwrap();
    let again = learn(log.as_bytes(), std::slice::from_ref(&pattern), &[]).unwrap();
    assert!(again.unread.is_empty(), "{pattern}");
    assert_eq!((again.series[1].points, again.series[1].last), (3, 5.0));
    let text = learned.to_string();
    assert!(text.contains("loss") && text.contains("[metrics]") && text.contains(&pattern), "{text}");
    assert!(learn(log.as_bytes(), &strings(&["("]), &[]).is_err());
}

#[test]
fn learning_reads_bytes_that_are_no_text_and_lines_without_end() {
    let mut log = vec![b'7'; 1_000_000];
    log.extend(b"\nstep=1 loss=0.5 \xff\xfe\n");
    let learned = learn(log.as_slice(), &[], &[]).unwrap();
    assert_eq!((learned.lines, learned.series.len()), (2, 1));
}

#[test]
fn learning_reads_a_progress_bar_as_a_run_would_however_long_its_line_is() {
    let mut log = String::new();
    for step in 1..=2000 {
        log += &format!("\r{:3}%|█████     | {step}/2000 [00:12<00:15,  3.60it/s, loss={:.3}]", step / 20, 1.0 / f64::from(step));
    }
    assert!(log.len() > 100_000);
    log += "\nepoch 1 loss: 0.25\r\n";
    let learned = learn(log.as_bytes(), &[], &[]).unwrap();
    assert_eq!((learned.lines, learned.unread.len()), (2, 0));
    assert_eq!((learned.series[0].points, learned.series[0].last), (2001, 0.25));
    // A `\r` before the end of a line writes nothing over.
    assert_eq!(learn("loss: 0.5\r\nloss: 0.25\r".as_bytes(), &[], &[]).unwrap().lines, 2);
}

#[test]
fn learning_tells_of_lines_that_gave_no_more_than_their_epoch() {
    let log = "Epoch: 3 | Train Loss -> 0.55 | Valid Acc -> 92%\nEpoch: 4 | Train Loss -> 0.50 | Valid Acc -> 93%\n";
    let learned = learn(log.as_bytes(), &[], &[]).unwrap();
    assert_eq!((learned.series.len(), learned.unread.len()), (0, 1));
    let pattern = learned.unread[0].pattern.clone().unwrap();
    let again = learn(log.as_bytes(), std::slice::from_ref(&pattern), &[]).unwrap();
    assert!(again.series.iter().any(|series| series.points == 2), "{pattern}");
    assert!(learn("Epoch 3/50\nEpoch 4/50\n".as_bytes(), &[], &[]).unwrap().unread.is_empty());
}

#[test]
fn learning_counts_no_configuration_as_unread() {
    let learned = learn("batch_size: 64\nepochs: 3\n".as_bytes(), &[], &[]).unwrap();
    assert_eq!((learned.config.len(), learned.unread.len()), (2, 0));
}

#[test]
fn learning_proposes_patterns_for_results_alone() {
    let proposed = |line: &str| learn(line.as_bytes(), &[], &[]).unwrap().unread.into_iter().find_map(|unread| unread.pattern);
    let accuracy = "Accuracy of the network on the 10000 test images: 54 %";
    let again = learn(accuracy.as_bytes(), &[proposed(accuracy).unwrap()], &[]).unwrap();
    assert_eq!((again.series[0].name.as_str(), again.series[0].last), ("accuracy", 54.0));
    for line in [
        "IndexError: index 5 is out of bounds for dimension 0 with size 5",
        "pid 1234 listening on port 8080",
        "Using cuda:0",
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=300 catIds=all] = 0.412",
        " Average Precision  (AP) @[ IoU=0.50 | area= small | maxDets=100 ] = -1.000",
        "Traceback (most recent call last):\n  File \"x.py\", line 12, in f\n    wobble = f(x, 12)\nValueError: wobble 3 is odd",
    ] {
        assert_eq!(proposed(line), None, "{line}");
    }
}

#[test]
fn learning_names_values_that_are_written_in_ways_that_are_not_read() {
    let log = "loss 0,31\nloss: 0.5K\n1,0.5,0.3\n2,0.4,0.3\n2024-01-02 12:00:00\nTook 3.2s\n";
    let learned = learn(log.as_bytes(), &[], &[]).unwrap();
    let unread: Vec<(&str, u64)> = learned.unread.iter().map(|unread| (unread.shape.as_str(), unread.lines)).collect();
    assert_eq!(unread, [("#,#,#", 2), ("loss #,#", 1), ("loss: ~", 1)]);
}
