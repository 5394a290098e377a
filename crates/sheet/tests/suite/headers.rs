//! Where the names of columns are, and what they mean.

use crate::files::{shown, xlsx};
use neronet_sheet::{read, read_runs};
use rust_xlsxwriter::Format;

fn csv(text: &str) -> String {
    shown(text.as_bytes(), "runs.csv")
}

#[test]
fn a_plain_table() {
    insta::assert_snapshot!(csv("lr,optimizer,epochs\n0.1,adam,10\n0.01,sgd,20\n"));
}

#[test]
fn usual_names_mean_what_they_say() {
    insta::assert_snapshot!(csv(
        "Date, STATUS ,Name,Python,Git hash,lr,Comments,notes\n2016-11-21,TODO,first,train.py,3f2c1a0,0.1,\"slow, but good\",x\n"
    ));
}

#[test]
fn a_title_and_a_legend_are_passed_over() {
    insta::assert_snapshot!(csv("RNN experiments 2016\n\nAuthor:,Ann\n\nlr,width,depth,batch\n0.1,32,2,16\n0.01,64,4,16\n"));
}

#[test]
fn a_title_over_a_table_of_one_column() {
    insta::assert_snapshot!(csv("All that we ran\n\ncommand\npython train.py --lr 0.1\npython train.py --lr 0.2\n"));
}

#[test]
fn a_title_right_above_the_header_is_no_group() {
    insta::assert_snapshot!(csv("RNN experiments 2016\nlr,width,depth\n0.1,32,2\n"));
}

#[test]
fn groups_followed_by_blanks() {
    insta::assert_snapshot!(csv(",,model,,train,,,\nstatus,name,width,depth,lr,decay,,comments\nTODO,a,32,2,0.1,0.5,,fine\n"));
}

#[test]
fn groups_over_the_names_of_most_columns() {
    // As a text file has it when date and status were merged over both rows.
    insta::assert_snapshot!(csv("date,status,model,,train,lr\n,,width,depth,decay,\n2016-01-01,TODO,32,2,0.5,0.1\n"));
}

#[test]
fn the_same_name_in_two_groups() {
    insta::assert_snapshot!(csv(",encoder,,decoder,\nname,width,depth,width,lr\na,32,2,64,0.1\n"));
}

#[test]
fn merged_groups() {
    let file = xlsx(|sheet| {
        let plain = Format::new();
        sheet.merge_range(0, 0, 0, 6, "All runs", &plain)?;
        sheet.merge_range(1, 0, 2, 0, "status", &plain)?;
        sheet.merge_range(1, 1, 1, 2, "model", &plain)?;
        sheet.merge_range(1, 3, 1, 4, "train", &plain)?;
        sheet.write(1, 5, "data")?;
        sheet.write_row(2, 1, ["width", "depth", "lr", "width", "set", "extra"])?;
        sheet.write(3, 0, "TODO")?;
        sheet.write_row(3, 1, [32.0, 2.0, 0.1, 8.0])?;
        sheet.write_row(3, 5, ["cifar", "x"])?;
        Ok(())
    });
    insta::assert_snapshot!(shown(&file, "runs.xlsx"));
}

#[test]
fn groups_merged_over_texts_only() {
    let file = xlsx(|sheet| {
        let plain = Format::new();
        sheet.merge_range(0, 0, 0, 1, "model", &plain)?;
        sheet.write(0, 2, "data")?;
        sheet.write(0, 3, "user")?;
        sheet.write_row(1, 0, ["kind", "norm", "set", "name"])?;
        sheet.write_row(2, 0, ["cnn", "batch", "cifar", "ann"])?;
        Ok(())
    });
    insta::assert_snapshot!(shown(&file, "runs.xlsx"));
}

#[test]
fn all_texts_are_no_groups() {
    insta::assert_snapshot!(csv("optimizer,set,note\nadam,cifar,\nsgd,mnist,good\n"));
}

#[test]
fn blank_rows_and_columns_separate_and_repeated_headers_are_passed_over() {
    insta::assert_snapshot!(csv("lr,,width\n0.1,,32\n\n,,\nlr,,width\n0.2,,64\n"));
}

#[test]
fn repeated_groups_are_passed_over() {
    insta::assert_snapshot!(csv(",model,\nlr,width,depth\n0.1,32,2\n\n,model,\nlr,width,depth\n0.2,64,2\n"));
}

#[test]
fn a_column_without_a_name() {
    insta::assert_snapshot!(csv("lr,,width\n0.1,what,32\n0.2,,64\n,only here,\n"));
}

#[test]
fn a_name_without_values_stays() {
    insta::assert_snapshot!(csv("lr,width,test_error\n0.1,32,\n"));
}

#[test]
fn two_columns_of_one_name() {
    insta::assert_snapshot!(csv("lr,width,lr\n0.1,32,0.2\n"));
}

#[test]
fn two_columns_for_one_thing() {
    insta::assert_snapshot!(csv("git,lr,commit\na,0.1,b\n"));
}

#[test]
fn numbers_only() {
    insta::assert_snapshot!(csv("1,2,3\n4,5,6\n"));
}

#[test]
fn a_header_only() {
    insta::assert_snapshot!(csv("lr,width\n"));
}

#[test]
fn names_in_several_lines() {
    insta::assert_snapshot!(csv("\"learning\nrate\",  width \n0.1,32\n"));
}

#[test]
fn another_table_has_names_of_its_own() {
    insta::assert_snapshot!(csv("lr,n\n0.1,3\n\nwidth,N\n64,3\n32,2\n\n0.5,7\n"));
    // The same names in other columns, all of it texts, under a title and groups.
    insta::assert_snapshot!(csv("status,lr,act\nTODO,0.1,relu\n\nact,status\ntanh,TODO\n"));
    insta::assert_snapshot!(csv("lr,n\n0.1,3\n\nSecond batch\n,model,\nlr,width,depth\n0.2,64,3\n\nlr,n\n0.3,4\n"));
    // A name that the specification beside the sheet knows.
    let known = read_runs(b"lr,n\n0.1,3\n\nwidth\n64\n", "runs.csv", None, &|name| name == "width").expect("a sheet");
    assert_eq!((known.columns.len(), known.rows.len()), (3, 2));
}

#[test]
fn a_row_that_may_be_a_header_and_may_be_none_is_a_mistake() {
    let refused = |text: &str| read(text.as_bytes(), "runs.csv", None).expect_err("refused").to_string();
    insta::assert_snapshot!(refused("lr,n\n0.1,3\n\nwidth,depth\n64,3\n"), @r"
    runs.csv: row 4 looks like the header of a second table
     = name one of its columns as a table above does, or put the table on a sheet of its own; if the row is a run, remove the blank row above it
    ");
    insta::assert_snapshot!(refused("lr,act,n\nauto,relu,\n0.1,relu,2\n\nSecond batch\nlr,m,n\n3,2,1\n"), @r"
    runs.csv: row 5 may be a run, or a title of the table below
     = remove the title, or leave a blank row below a run
    ");
    insta::assert_snapshot!(refused("lr,time\n,h\n0.1,\n"), @r"
    runs.csv: row 2 may be a run, or name units
     = put the units into the header, or a value into one of its columns
    ");
    for text in [
        "lr,n\n0.1,3\n\nwidth\n64\n",
        "lr,n\n0.1,3\n\nwidth,act\n64,relu\n",
        "act,n\nrelu,3\n\nwidth,depth\n64,3\n",
        "lr,n\n\nauto,auto\n0.1,3\n",
        "lr,n\n0.1,3\n\nauto,auto\n\n0.2,4\n",
        "status,lr\nTODO,1\n\nwidth,depth\n64,3\n",
        "lr\n0.1\n\nauto\n0.2\n",
        "lr,time\n-,h\n0.1,3\n\nwidth,depth\n64,3\n",
    ] {
        assert!(refused(text).contains("looks like the header of a second table"), "{text}");
    }
}

#[test]
fn a_row_is_a_run_unless_there_is_strong_evidence() {
    let rows = |text: &str| read(text.as_bytes(), "runs.csv", None).expect("a sheet").rows.len();
    for (text, count) in [
        ("opt,n\nadam,1\n\nsgd,auto\nadam,3\n", 3),
        ("lr,depth\nauto,auto\n0.1,2\n0.2,3\n", 3),
        ("lr,depth\n?,none\n0.1,2\n", 2),
        ("lr,depth\n-,-\n0.1,2\n", 2),
        ("lr,depth,n\n0.1,2,3\nauto,,\n0.2,2,3\n", 3),
        ("command,lr\npython a.py,0.1\n\npython b.py,\n\npython c.py,1\n", 3),
        ("prompt,k\nsay this,1\n\nsay that,\nand this,2\n", 3),
        ("name,k\na,1\n\nthe second,\nb,2\n", 3),
        // A name that stands for a value elsewhere in its column.
        ("opt,metric\nadam,name\n\nsgd,name\nadam,lr\n", 3),
        ("status,lr\nTODO,1\n\nTODO,auto\nTODO,2\n", 3),
        ("size,reg\ns,-\nm,l2\n", 2),
    ] {
        assert_eq!(rows(text), count, "{text}");
    }
}

#[test]
fn very_many_tables_cost_little() {
    let tables = |names: &dyn Fn(usize) -> String| (0..5000).map(|n| format!("lr,{}\n0.1,2\n\n", names(n))).collect::<String>();
    assert_eq!(read(tables(&|n| format!("n{}", n % 7)).as_bytes(), "runs.csv", None).expect("a sheet").rows.len(), 5000);
    let said = read(tables(&|n| format!("n{n}")).as_bytes(), "runs.csv", None).expect_err("refused").to_string();
    assert!(said.contains("more than 1000 columns have names"), "{said}");
}

#[test]
fn titles_and_units_are_no_rows() {
    insta::assert_snapshot!(csv("lr,time,mem\n-,h,GB\n0.1,3,4\n\nSecond batch,,\n0.2,3,4\n0.3,auto,\n,auto,\n"));
    insta::assert_snapshot!(csv("act,lr,time\n,,[h]\nrelu,0.1,3\n\nlr,time\n-,(min)\n0.2,3\n\n* best so far\n"));
    insta::assert_snapshot!(csv("status,lr\ndone,0.1\n\nSecond batch,\nTODO,0.2\n"));
}

#[test]
fn rows_of_texts_are_rows() {
    insta::assert_snapshot!(csv("optimizer,act,lr\nadam,relu,\nsgd,tanh,0.1\n\nsgd,relu,0.1\n\nadam,,\n\nsgd,tanh,\n"));
    insta::assert_snapshot!(csv("command,lr\npython train.py --fast,\n\npython train.py {lr},0.1\n"));
}
